#include "datasets/codecs/png_writer.h"

#include <libdeflate.h>

#include <cstdlib>
#include <limits>
#include <string_view>

#include "base/error.h"
#include "datasets/codecs/deflate.h"
#include "datasets/codecs/png_filter.h"

namespace mtlprune {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr int kFilters = 5;  // none, sub, up, average, Paeth
constexpr int kTrialLevel = 6;

/// `row` and `above` start after `channels` zeros.
void filter_row(int filter, const uint8_t* row, const uint8_t* above, int channels, int64_t length,
                uint8_t* coded) {
    for (int64_t i = 0; i < length; ++i) {
        const int left = row[i - channels], up = above[i], corner = above[i - channels];
        const int predicted[kFilters] = {0, left, up, (left + up) / 2, 0};
        const int value = filter == 4 ? paeth_prediction(left, up, corner) : predicted[filter];
        coded[i] = static_cast<uint8_t>(row[i] - value);
    }
}

int64_t sum_of_differences(const uint8_t* coded, int64_t length) {
    int64_t sum = 0;
    for (int64_t i = 0; i < length; ++i) sum += std::abs(static_cast<int8_t>(coded[i]));
    return sum;
}

/// Rows in file order (RGB), each after `channels` zeros, and a row of zeros before the first.
Bytes file_rows(const cv::Mat& pixels) {
    const int channels = pixels.channels();
    const int64_t stride = static_cast<int64_t>(pixels.cols + 1) * channels;
    Bytes rows((pixels.rows + 1) * stride, 0);
    for (int y = 0; y < pixels.rows; ++y) {
        const uint8_t* from = pixels.ptr(y);
        uint8_t* to = rows.data() + (y + 1) * stride + channels;
        for (int64_t x = 0; x < stride - channels; x += channels)
            for (int c = 0; c < channels; ++c) to[x + c] = from[x + channels - 1 - c];
    }
    return rows;
}

/// All rows by one filter, or each by its best (`filter` -1), with the filter bytes.
Bytes filtered(const Bytes& rows, const cv::Mat& pixels, int filter) {
    const int channels = pixels.channels();
    const int64_t length = static_cast<int64_t>(pixels.cols) * channels, stride = length + channels;
    Bytes result(pixels.rows * (length + 1)), trial(length);
    for (int y = 0; y < pixels.rows; ++y) {
        const uint8_t *above = rows.data() + y * stride + channels, *row = above + stride;
        uint8_t* const out = result.data() + y * (length + 1);
        int64_t least = std::numeric_limits<int64_t>::max();
        for (int f = filter < 0 ? 0 : filter; f < (filter < 0 ? kFilters : filter + 1); ++f) {
            filter_row(f, row, above, channels, length, trial.data());
            const int64_t sum = sum_of_differences(trial.data(), length);
            if (sum >= least) continue;
            least = sum;
            out[0] = static_cast<uint8_t>(f);
            std::copy(trial.begin(), trial.end(), out + 1);
        }
    }
    return result;
}

void append_number(uint32_t value, Bytes& bytes) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<uint8_t>(value >> shift));
}

void append_chunk(std::string_view type, const Bytes& data, Bytes& file) {
    append_number(static_cast<uint32_t>(data.size()), file);
    const size_t start = file.size();
    file.insert(file.end(), type.begin(), type.end());
    file.insert(file.end(), data.begin(), data.end());
    append_number(libdeflate_crc32(0, file.data() + start, file.size() - start), file);
}

}  // namespace

std::vector<uint8_t> encode_png(const cv::Mat& pixels, int level) {
    if (pixels.empty() || (pixels.type() != CV_8UC1 && pixels.type() != CV_8UC3))
        throw Error("PNG writer", "pixels", "8-bit grey or colour", cv::typeToString(pixels.type()));
    const Bytes rows = file_rows(pixels);
    Bytes best;
    size_t least = std::numeric_limits<size_t>::max();
    for (int filter = -1; filter < kFilters; ++filter) {
        Bytes candidate = filtered(rows, pixels, filter);
        const size_t size = deflate_zlib(candidate, std::min(level, kTrialLevel)).size();
        if (size >= least) continue;
        least = size;
        best = std::move(candidate);
    }
    Bytes file = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}, header;
    append_number(static_cast<uint32_t>(pixels.cols), header);
    append_number(static_cast<uint32_t>(pixels.rows), header);
    for (const int field : {8, pixels.channels() == 1 ? 0 : 2, 0, 0, 0})
        header.push_back(static_cast<uint8_t>(field));
    append_chunk("IHDR", header, file);
    append_chunk("IDAT", deflate_zlib(best, level), file);
    append_chunk("IEND", {}, file);
    return file;
}

}  // namespace mtlprune
