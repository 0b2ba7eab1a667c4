#include "datasets/codecs/npy_writer.h"

#include <fmt/format.h>

#include <bit>

#include "base/error.h"

namespace mtlprune {
namespace {

static_assert(std::endian::native == std::endian::little, "float32 values are written as they lie in memory");

std::string npy_header(int rows, int columns, bool fortran_order) {
    constexpr size_t kPreamble = 10, kAlignment = 64;  // magic, version and length; where data may start
    std::string text = fmt::format("{{'descr': '<f4', 'fortran_order': {}, 'shape': ({}, {}), }}",
                                   fortran_order ? "True" : "False", rows, columns);
    const size_t unpadded = kPreamble + text.size() + 1;
    text.append((kAlignment - unpadded % kAlignment) % kAlignment, ' ');
    text += '\n';
    std::string header("\x93NUMPY\x01\x00", 8);
    header += static_cast<char>(text.size() & 0xff);
    header += static_cast<char>(text.size() >> 8);
    return header + text;
}

}  // namespace

std::string encode_npy_f32(const cv::Mat& matrix, bool fortran_order) {
    if (matrix.empty() || matrix.dims != 2 || matrix.type() != CV_32FC1)
        throw Error("npy array", "matrix", "CV_32FC1, not empty",
                    matrix.empty() ? "an empty one" : cv::typeToString(matrix.type()));
    std::string bytes = npy_header(matrix.rows, matrix.cols, fortran_order);
    const cv::Mat ordered = fortran_order ? cv::Mat(matrix.t()) : matrix;
    for (int row = 0; row < ordered.rows; ++row)
        bytes.append(reinterpret_cast<const char*>(ordered.ptr(row)), ordered.cols * sizeof(float));
    return bytes;
}

}  // namespace mtlprune
