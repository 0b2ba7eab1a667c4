#include "datasets/packed/label_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "base/error.h"
#include "datasets/codecs/deflate.h"
#include "datasets/codecs/png.h"
#include "datasets/codecs/png_writer.h"

namespace mtlprune {
namespace {

using Bytes = std::vector<uint8_t>;
using Words = std::vector<uint32_t>;

constexpr size_t kStreamHeaderBytes = 12;
constexpr size_t kLargestPalette = 65536;
constexpr int kWordBytes = 4;

[[noreturn]] void reject(const std::string& place, const std::string& expected, const std::string& found) {
    throw Error("label stream", place, expected, found);
}

Words bit_patterns(const cv::Mat& floats) {
    Words words(floats.total() * floats.channels());
    const size_t row = static_cast<size_t>(floats.cols) * floats.channels();
    for (int y = 0; y < floats.rows; ++y)
        std::memcpy(words.data() + y * row, floats.ptr(y), row * sizeof(uint32_t));
    return words;
}

/// The distinct values in rising order; nothing when there are too many for a palette to pay.
Words palette_of(const Words& words) {
    Words distinct = words;
    std::sort(distinct.begin(), distinct.end());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    const bool pays = distinct.size() <= 256 || distinct.size() <= words.size() / 8;
    return pays && distinct.size() <= kLargestPalette ? distinct : Words();
}

/// The lowest `planes` bytes of each word, plane after plane.
Bytes split_planes(const Words& words, int planes) {
    Bytes bytes(words.size() * planes);
    for (int p = 0; p < planes; ++p)
        for (size_t i = 0; i < words.size(); ++i)
            bytes[p * words.size() + i] = static_cast<uint8_t>(words[i] >> (8 * p));
    return bytes;
}

Words join_planes(const uint8_t* bytes, size_t count, int planes) {
    Words words(count, 0);
    for (int p = 0; p < planes; ++p)
        for (size_t i = 0; i < count; ++i) words[i] |= static_cast<uint32_t>(bytes[p * count + i]) << (8 * p);
    return words;
}

Bytes compress_palette(const Words& palette, int level) {
    Words steps = palette;
    for (size_t i = steps.size(); i-- > 1;) steps[i] -= steps[i - 1];
    return deflate_zlib(split_planes(steps, kWordBytes), level);
}

Words decompress_palette(std::span<const uint8_t> compressed, size_t count, const std::string& place) {
    if (count > kLargestPalette) reject(place, "a palette of at most 65536", std::to_string(count));
    Bytes planes(count * kWordBytes);
    inflate_zlib(compressed, planes, "label stream", place);
    Words palette = join_planes(planes.data(), count, kWordBytes);
    for (size_t i = 1; i < count; ++i) palette[i] += palette[i - 1];
    return palette;
}

void append_word(uint32_t word, Bytes& bytes) {
    for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<uint8_t>(word >> shift));
}

uint32_t word_at(const Bytes& bytes, size_t offset) {
    return join_planes(bytes.data() + offset, 1, kWordBytes)[0];
}

Bytes encode_floats(const cv::Mat& floats, int level) {
    Words words = bit_patterns(floats);
    const Words palette = palette_of(words);
    const int planes = palette.empty() ? kWordBytes : palette.size() <= 256 ? 1 : 2;
    for (size_t i = 0; !palette.empty() && i < words.size(); ++i)
        words[i] = static_cast<uint32_t>(std::lower_bound(palette.begin(), palette.end(), words[i]) -
                                         palette.begin());
    Bytes bytes = split_planes(words, planes);
    const cv::Mat pixels(floats.rows * planes, floats.cols * floats.channels(), CV_8UC1, bytes.data());
    const Bytes coded_palette = palette.empty() ? Bytes() : compress_palette(palette, level);
    Bytes stream;
    append_word(static_cast<uint32_t>(planes), stream);
    append_word(static_cast<uint32_t>(palette.size()), stream);
    append_word(static_cast<uint32_t>(coded_palette.size()), stream);
    stream.insert(stream.end(), coded_palette.begin(), coded_palette.end());
    const Bytes png = encode_png(pixels, level);
    stream.insert(stream.end(), png.begin(), png.end());
    return stream;
}

cv::Mat decode_png(const Bytes& png, int type, const std::string& place) {
    const PngHeader header = check_png(png, place);
    const auto pixels = decode_plain_png(png, header, place);
    if (!pixels || pixels->type() != type)
        reject(place, "an 8-bit PNG file of the stored kind",
               fmt::format("{}-bit, colour type {}", header.bit_depth, header.colour_type));
    return *pixels;
}

void look_up(const Words& palette, Words& words, const std::string& place) {
    for (uint32_t& word : words) {
        if (word >= palette.size())
            reject(place, fmt::format("codes below {}", palette.size()), std::to_string(word));
        word = palette[word];
    }
}

cv::Mat decode_floats(const Bytes& stream, int type, const std::string& place) {
    if (stream.size() < kStreamHeaderBytes) reject(place, "a header", fmt::format("{} bytes", stream.size()));
    const uint32_t planes = word_at(stream, 0), count = word_at(stream, 4), length = word_at(stream, 8);
    const bool known = planes == kWordBytes ? count == 0 : planes == 1 || planes == 2;
    if (!known || length > stream.size() - kStreamHeaderBytes)
        reject(place, "1, 2 or 4 planes and the palette inside the stream",
               fmt::format("{} planes, palette of {} in {} bytes", planes, count, length));
    const auto png_start = stream.begin() + kStreamHeaderBytes + length;
    const cv::Mat pixels = decode_png(Bytes(png_start, stream.end()), CV_8UC1, place);
    const int channels = CV_MAT_CN(type);
    if (pixels.rows % static_cast<int>(planes) != 0 || pixels.cols % channels != 0)
        reject(place, fmt::format("{} planes of {} channels", planes, channels),
               fmt::format("{}x{} bytes", pixels.cols, pixels.rows));
    Words words = join_planes(pixels.data, pixels.total() / planes, static_cast<int>(planes));
    if (planes != kWordBytes)
        look_up(decompress_palette({stream.data() + kStreamHeaderBytes, length}, count, place), words, place);
    cv::Mat floats(pixels.rows / static_cast<int>(planes), pixels.cols / channels, type);
    std::memcpy(floats.data, words.data(), words.size() * sizeof(uint32_t));
    return floats;
}

}  // namespace

std::vector<uint8_t> encode_labels(const cv::Mat& labels, int level) {
    return labels.depth() == CV_32F && !labels.empty() ? encode_floats(labels, level)
                                                       : encode_png(labels, level);
}

cv::Mat decode_labels(const std::vector<uint8_t>& stream, int type, const std::string& place) {
    return CV_MAT_DEPTH(type) == CV_32F ? decode_floats(stream, type, place)
                                        : decode_png(stream, type, place);
}

}  // namespace mtlprune
