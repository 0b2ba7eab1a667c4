#include "datasets/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "datasets/error.h"
#include "datasets/input_file.h"

namespace mtlprune {
namespace {

static_assert(std::endian::native == std::endian::little, "arrays are read without swapping bytes");

constexpr size_t kMagicSize = 6;
constexpr int64_t kLargestSide = 1 << 20;

[[noreturn]] void reject(const InputFile& file, const std::string& expected, const std::string& found) {
    throw Error("NumPy array", file.path().string(), expected, found);
}

struct NpyHeader {
    int64_t data_offset = 0;
    int64_t value_size = 0;  // bytes: 4 or 8
    bool fortran_order = false;
    int64_t rows = 0;
    int64_t columns = 0;
};

/// The text of the header's dictionary; `data_offset` receives where the values start.
std::string header_text(const InputFile& file, int64_t& data_offset) {
    char start[12] = {};
    const size_t got = file.read_up_to(start, sizeof start, 0);
    if (got < 10 || std::memcmp(start, "\x93NUMPY", kMagicSize) != 0)
        reject(file, "a .npy file (starting with \\x93NUMPY)",
               fmt::format("{} bytes of something else", file.size()));
    const int major = static_cast<unsigned char>(start[6]), minor = static_cast<unsigned char>(start[7]);
    if (major < 1 || major > 3 || minor != 0)
        reject(file, "format version 1.0, 2.0 or 3.0", fmt::format("{}.{}", major, minor));
    const int length_bytes = major == 1 ? 2 : 4;
    uint32_t length = 0;
    std::memcpy(&length, start + 8, length_bytes);
    data_offset = 8 + length_bytes + static_cast<int64_t>(length);
    if (data_offset > file.size())
        reject(file, fmt::format("a header of {} bytes", length),
               fmt::format("a file of {} bytes", file.size()));
    std::string text(length, '\0');
    file.read(text.data(), length, 8 + length_bytes);
    return text;
}

/// What follows `'key':` in the dictionary, without leading spaces.
std::string value_of(const InputFile& file, const std::string& text, const std::string& key) {
    size_t at = text.find("'" + key + "'");
    if (at == std::string::npos) reject(file, "a header with '" + key + "'", text.substr(0, 80));
    at = text.find_first_not_of(" :", at + key.size() + 2);
    return at == std::string::npos ? "" : text.substr(at);
}

std::vector<int64_t> shape_of(const InputFile& file, const std::string& value) {
    const std::string shown = value.substr(0, std::min(value.find(')'), value.size() - 1) + 1);
    std::vector<int64_t> shape;
    const char* p = shown.data();
    const char* end = p + shown.size();
    while (p < end && *p != ')') {
        if (!std::isdigit(static_cast<unsigned char>(*p))) {
            if (std::strchr("(, ", *p) == nullptr) reject(file, "a shape", shown);
            ++p;
            continue;
        }
        int64_t length = 0;
        const auto [next, code] = std::from_chars(p, end, length);
        if (code != std::errc() || length < 1 || length > kLargestSide)
            reject(file, fmt::format("lengths in 1..{}", kLargestSide), shown);
        shape.push_back(length);
        p = next;
    }
    if (shape.size() == 3 && shape.back() == 1)
        shape.pop_back();
    else if (shape.size() == 3 && shape.front() == 1)
        shape.erase(shape.begin());
    if (shape.size() != 2) reject(file, "shape (H, W), (H, W, 1) or (1, H, W)", shown);
    return shape;
}

NpyHeader read_header(const InputFile& file) {
    NpyHeader header;
    const std::string text = header_text(file, header.data_offset);
    const std::string type = value_of(file, text, "descr").substr(0, 5);
    if (type == "'<f4'")
        header.value_size = 4;
    else if (type == "'<f8'")
        header.value_size = 8;
    else
        reject(file, "values '<f4' or '<f8'", type);
    const std::string order = value_of(file, text, "fortran_order");
    if (order.rfind("True", 0) == 0)
        header.fortran_order = true;
    else if (order.rfind("False", 0) != 0)
        reject(file, "fortran_order True or False", order.substr(0, 10));
    const auto shape = shape_of(file, value_of(file, text, "shape"));
    header.rows = shape[0];
    header.columns = shape[1];
    const int64_t expected = header.data_offset + header.rows * header.columns * header.value_size;
    if (expected != file.size())
        reject(file, fmt::format("{} bytes for {} x {} values", expected, header.rows, header.columns),
               fmt::format("{} bytes", file.size()));
    return header;
}

}  // namespace

cv::Mat read_npy(const std::filesystem::path& path) {
    const InputFile file(path, "NumPy array");
    const NpyHeader header = read_header(file);
    // A Fortran-ordered [rows, columns] array lies in the file as the C-ordered [columns, rows] one.
    const auto height = static_cast<int>(header.fortran_order ? header.columns : header.rows);
    const auto width = static_cast<int>(header.fortran_order ? header.rows : header.columns);
    cv::Mat stored(height, width, header.value_size == 4 ? CV_32FC1 : CV_64FC1);
    file.read(stored.data, stored.total() * stored.elemSize(), header.data_offset);
    if (header.value_size == 8) stored.convertTo(stored, CV_32F);
    if (!header.fortran_order) return stored;
    cv::Mat array;
    cv::transpose(stored, array);
    return array;
}

}  // namespace mtlprune
