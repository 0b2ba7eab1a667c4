#include "datasets/codecs/npy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file_content.h"
#include "base/input_file.h"

namespace mtlprune {
namespace {

static_assert(std::endian::native == std::endian::little, "arrays are read without swapping bytes");

constexpr size_t kMagicSize = 6;
constexpr int64_t kLargestLength = 1 << 20;
constexpr int64_t kLargestChannels = 4;

[[noreturn]] void reject(const InputFile& file, const std::string& expected, const std::string& found) {
    throw Error("NumPy array", file.path().string(), expected, found);
}

/// Values of one kind as a header names them and as OpenCV keeps them.
struct NpyType {
    const char* name;
    int depth;     // OpenCV's
    int64_t size;  // bytes
    bool is_int64 = false;
};

// OpenCV has no 64-bit integers; their bits are only moved as those of float64.
constexpr NpyType kTypes[] = {{"'|u1'", CV_8U, 1},  {"'|i1'", CV_8S, 1},  {"'<u2'", CV_16U, 2},
                              {"'<i2'", CV_16S, 2}, {"'<i4'", CV_32S, 4}, {"'<i8'", CV_64F, 8, true},
                              {"'<f2'", CV_16F, 2}, {"'<f4'", CV_32F, 4}, {"'<f8'", CV_64F, 8}};
constexpr std::span<const NpyType> kFloatTypes = std::span(kTypes).last(2);

struct NpyHeader {
    int64_t data_offset = 0;
    const NpyType* type = nullptr;
    bool fortran_order = false;
    std::vector<int64_t> shape;
};

/// The text of the header's dictionary; `data_offset` receives where the values start.
std::string header_text(const InputFile& file, int64_t& data_offset) {
    char start[12] = {};
    const size_t got = file.read_up_to(start, sizeof start, 0);
    if (got < 10 || std::memcmp(start, "\x93NUMPY", kMagicSize) != 0)
        reject(file, "a .npy file (starting with \\x93NUMPY)", content_text(file));
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
        if (code != std::errc() || length < 1 || length > kLargestLength)
            reject(file, fmt::format("lengths in 1..{}", kLargestLength), shown);
        shape.push_back(length);
        p = next;
    }
    return shape;
}

const NpyType* type_of(const InputFile& file, const std::string& value, std::span<const NpyType> accepted) {
    const std::string name = value.substr(0, 5);
    std::vector<std::string> names;
    for (const NpyType& type : accepted) {
        if (name == type.name) return &type;
        names.emplace_back(type.name);
    }
    const std::string last = names.back();
    names.pop_back();
    reject(file, fmt::format("values {} or {}", fmt::join(names, ", "), last), name);
}

NpyHeader read_header(const InputFile& file, std::span<const NpyType> accepted) {
    NpyHeader header;
    const std::string text = header_text(file, header.data_offset);
    header.type = type_of(file, value_of(file, text, "descr"), accepted);
    const std::string order = value_of(file, text, "fortran_order");
    if (order.rfind("True", 0) == 0)
        header.fortran_order = true;
    else if (order.rfind("False", 0) != 0)
        reject(file, "fortran_order True or False", order.substr(0, 10));
    header.shape = shape_of(file, value_of(file, text, "shape"));
    return header;
}

std::string shape_text(const NpyHeader& header) {
    return fmt::format("({})", fmt::join(header.shape, ", "));
}

void check_size(const InputFile& file, const NpyHeader& header) {
    const int64_t values =
        std::accumulate(header.shape.begin(), header.shape.end(), int64_t{1}, std::multiplies<>());
    const int64_t expected = header.data_offset + values * header.type->size;
    if (expected != file.size())
        reject(file, fmt::format("{} bytes for {} values", expected, fmt::join(header.shape, " x ")),
               fmt::format("{} bytes", file.size()));
}

/// The shape as rows, columns and channels.
std::array<int, 3> with_channels(const InputFile& file, const NpyHeader& header, int64_t largest) {
    auto shape = header.shape;
    if (shape.size() == 2) shape.push_back(1);
    if (shape.size() == 3 && shape[2] > largest && shape[0] == 1) shape = {shape[1], shape[2], 1};
    if (shape.size() != 3 || shape[2] > largest)
        reject(file,
               largest == 1 ? "shape (H, W), (H, W, 1) or (1, H, W)"
                            : fmt::format("shape (H, W), (1, H, W) or (H, W, C) with C in 1..{}", largest),
               shape_text(header));
    return {static_cast<int>(shape[0]), static_cast<int>(shape[1]), static_cast<int>(shape[2])};
}

/// The values in the type they are stored in.
cv::Mat read_values(const InputFile& file, const NpyHeader& header, int64_t largest_channels) {
    const auto [rows, columns, channels] = with_channels(file, header, largest_channels);
    check_size(file, header);
    const int depth = header.type->depth;
    if (!header.fortran_order) {
        cv::Mat pixels(rows, columns, CV_MAKETYPE(depth, channels));
        file.read(pixels.data, pixels.total() * pixels.elemSize(), header.data_offset);
        return pixels;
    }
    // A Fortran-ordered [rows, columns, channels] array lies in the file as a C-ordered [channels, columns,
    // rows].
    std::vector<cv::Mat> planes(channels);
    int64_t offset = header.data_offset;
    for (cv::Mat& plane : planes) {
        cv::Mat stored(columns, rows, CV_MAKETYPE(depth, 1));
        file.read(stored.data, stored.total() * stored.elemSize(), offset);
        offset += static_cast<int64_t>(stored.total() * stored.elemSize());
        cv::transpose(stored, plane);
    }
    cv::Mat pixels;
    cv::merge(planes, pixels);
    return pixels;
}

/// `bits` holds 64-bit integers.
cv::Mat narrowed(const InputFile& file, const cv::Mat& bits) {
    cv::Mat narrow(bits.size(), CV_MAKETYPE(CV_32S, bits.channels()));
    const auto count = static_cast<int64_t>(bits.total()) * bits.channels();
    for (int64_t i = 0; i < count; ++i) {
        int64_t value = 0;
        std::memcpy(&value, bits.data + i * sizeof value, sizeof value);
        if (value < std::numeric_limits<int32_t>::min() || value > std::numeric_limits<int32_t>::max())
            reject(file, "integers of at most 32 bits", fmt::format("{} as value {}", value, i));
        narrow.ptr<int32_t>()[i] = static_cast<int32_t>(value);
    }
    return narrow;
}

}  // namespace

cv::Mat read_npy(const std::filesystem::path& path) {
    const InputFile file(path, "NumPy array");
    cv::Mat array = read_values(file, read_header(file, kFloatTypes), 1);
    if (array.depth() != CV_32F) array.convertTo(array, CV_32F);
    return array;
}

cv::Mat read_npy_pixels(const std::filesystem::path& path) {
    const InputFile file(path, "NumPy array");
    const NpyHeader header = read_header(file, kTypes);
    cv::Mat pixels = read_values(file, header, kLargestChannels);
    if (header.type->is_int64) return narrowed(file, pixels);
    if (pixels.depth() == CV_16F) pixels.convertTo(pixels, CV_32F);
    return pixels;
}

}  // namespace mtlprune
