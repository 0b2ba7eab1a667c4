#include "datasets/codecs/gzip.h"

#include <fmt/format.h>
#include <libdeflate.h>

#include <memory>

#include "base/error.h"

namespace mtlprune {
namespace {

constexpr size_t kSmallest = 18;          // header and trailer
constexpr uint64_t kLargestRatio = 1032;  // of deflate: a coded bit pair can stand for 258 bytes

struct FreeGzipDecompressor {
    void operator()(libdeflate_decompressor* d) const { libdeflate_free_decompressor(d); }
};

uint64_t declared_size(const std::vector<uint8_t>& bytes) {
    const uint8_t* p = bytes.data() + bytes.size() - 4;
    return p[0] | static_cast<uint64_t>(p[1]) << 8 | static_cast<uint64_t>(p[2]) << 16 |
           static_cast<uint64_t>(p[3]) << 24;
}

}  // namespace

bool is_gzip(const std::vector<uint8_t>& bytes) {
    return bytes.size() >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

std::vector<uint8_t> gunzip(const std::vector<uint8_t>& bytes, const std::string& place) {
    const auto reject = [&](const std::string& expected, const std::string& found) {
        throw Error("gzip file", place, expected, found);
    };
    if (!is_gzip(bytes) || bytes.size() < kSmallest)
        reject("a complete gzip file", fmt::format("{} bytes", bytes.size()));
    const uint64_t size = declared_size(bytes);
    if (size > bytes.size() * kLargestRatio)
        reject(fmt::format("content for {} bytes", size), fmt::format("a file of {} bytes", bytes.size()));
    const std::unique_ptr<libdeflate_decompressor, FreeGzipDecompressor> decompressor(
        libdeflate_alloc_decompressor());
    std::vector<uint8_t> content(size);
    size_t used = 0, got = 0;
    const auto result = libdeflate_gzip_decompress_ex(decompressor.get(), bytes.data(), bytes.size(),
                                                      content.data(), content.size(), &used, &got);
    if (result != LIBDEFLATE_SUCCESS)
        reject("valid compressed data", fmt::format("damaged data (code {})", static_cast<int>(result)));
    if (used != bytes.size() || got != size)
        reject("one gzip member and nothing behind it",
               fmt::format("{} bytes behind it", bytes.size() - used));
    return content;
}

}  // namespace mtlprune
