#include "datasets/codecs/png.h"

#include <fmt/format.h>
#include <libdeflate.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/file_content.h"
#include "datasets/codecs/deflate.h"
#include "datasets/codecs/png_filter.h"
#include "datasets/contract/sample.h"

namespace mtlprune {
namespace {

constexpr uint8_t kSignature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

[[noreturn]] void reject_png(const std::string& place, const std::string& expected,
                             const std::string& found) {
    throw Error("PNG image", place, expected, found);
}

uint32_t png_number(const uint8_t* p) {
    return static_cast<uint32_t>(p[0]) << 24 | static_cast<uint32_t>(p[1]) << 16 |
           static_cast<uint32_t>(p[2]) << 8 | p[3];
}

struct Chunk {
    std::string type;
    const uint8_t* data;
    int64_t length;
};

/// Hands every chunk up to IEND to `visit`.
template <typename Visit>
void for_each_chunk(const std::vector<uint8_t>& bytes, const std::string& place, const Visit& visit) {
    const auto size = static_cast<int64_t>(bytes.size());
    if (size < 8 || std::memcmp(bytes.data(), kSignature, 8) != 0)
        reject_png(place, "a PNG signature", content_text(bytes));
    int64_t at = 8;
    while (true) {
        if (at + 12 > size)
            reject_png(place, "an IEND chunk",
                       fmt::format("the end of the file at byte {} (truncated)", size));
        const int64_t length = png_number(&bytes[at]);
        const Chunk chunk{{bytes.begin() + at + 4, bytes.begin() + at + 8}, &bytes[at + 8], length};
        if (at + 12 + length > size)
            reject_png(place, fmt::format("{} bytes in chunk {} at byte {}", length, chunk.type, at),
                       fmt::format("{} (truncated)", size - at - 12));
        visit(chunk);
        if (chunk.type == "IEND") return;
        at += 12 + length;
    }
}

void check_sum(const Chunk& chunk, const std::string& place) {
    const uint32_t stored = png_number(chunk.data + chunk.length);
    const uint32_t computed = libdeflate_crc32(0, chunk.data - 4, chunk.length + 4);
    if (stored != computed)
        reject_png(place, fmt::format("check sum {:08x} of chunk {}", stored, chunk.type),
                   fmt::format("{:08x}", computed));
}

void read_header(const Chunk& chunk, PngHeader& header, const std::string& place) {
    if (chunk.type != "IHDR" || chunk.length != 13)
        reject_png(place, "chunk IHDR of 13 bytes first",
                   fmt::format("{} of {} bytes", chunk.type, chunk.length));
    header.width = png_number(chunk.data);
    header.height = png_number(chunk.data + 4);
    header.bit_depth = chunk.data[8];
    header.colour_type = chunk.data[9];
    header.interlaced = chunk.data[12] != 0;
    if (header.width < 1 || header.height < 1 || header.width > kLargestSide || header.height > kLargestSide)
        reject_png(place, fmt::format("sides in 1..{}", kLargestSide),
                   fmt::format("{}x{}", header.width, header.height));
}

/// All image data of the file in one piece.
void join_data(const std::vector<uint8_t>& bytes, const std::string& place, std::vector<uint8_t>& joined) {
    joined.clear();
    for_each_chunk(bytes, place, [&](const Chunk& chunk) {
        if (chunk.type == "IDAT") joined.insert(joined.end(), chunk.data, chunk.data + chunk.length);
    });
}

}  // namespace

PngHeader check_png(const std::vector<uint8_t>& bytes, const std::string& place) {
    PngHeader header;
    int64_t data_bytes = 0;
    bool first = true;
    for_each_chunk(bytes, place, [&](const Chunk& chunk) {
        check_sum(chunk, place);
        if (first) read_header(chunk, header, place);
        first = false;
        if (chunk.type == "IDAT") data_bytes += chunk.length;
        if (chunk.type == "tRNS") header.transparency = true;
    });
    const int64_t pixel_bytes = header.width * header.height * header.bit_depth / 8;
    if (pixel_bytes > data_bytes * kLargestDeflateRatio)
        reject_png(place, fmt::format("image data for {}x{} pixels", header.width, header.height),
                   fmt::format("{} bytes", data_bytes));
    return header;
}

std::optional<cv::Mat> decode_plain_png(const std::vector<uint8_t>& bytes, const PngHeader& header,
                                        const std::string& place) {
    const bool plain = header.bit_depth == 8 && (header.colour_type == 0 || header.colour_type == 2) &&
                       !header.interlaced && !header.transparency;
    if (!plain) return std::nullopt;
    const int channels = header.colour_type == 0 ? 1 : 3;
    thread_local std::vector<uint8_t> compressed, raw;
    join_data(bytes, place, compressed);
    raw.resize(header.height * (header.width * channels + 1));
    inflate_zlib(compressed, raw, "PNG image", place);
    raw.push_back(0);  // the filters may read one byte beyond a row
    cv::Mat pixels(static_cast<int>(header.height), static_cast<int>(header.width),
                   CV_MAKETYPE(CV_8U, channels));
    const int64_t stride = header.width * channels + 1;
    for (int y = 0; y < pixels.rows; ++y) {
        const uint8_t* row = raw.data() + y * stride;
        if (row[0] > 4) reject_png(place, "row filters 0..4", fmt::format("{} in row {}", row[0], y));
        undo_png_filter(static_cast<PngFilter>(row[0]), channels, header.width, row + 1,
                        y > 0 ? pixels.ptr(y - 1) : nullptr, pixels.ptr(y));
    }
    return pixels;
}

}  // namespace mtlprune
