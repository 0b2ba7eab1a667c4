#include "datasets/codecs/deflate.h"

#include <fmt/format.h>
#include <libdeflate.h>

#include <algorithm>
#include <memory>
#include <new>

#include "base/error.h"

namespace mtlprune {
namespace {

struct FreeDecompressor {
    void operator()(libdeflate_decompressor* d) const { libdeflate_free_decompressor(d); }
};
struct FreeCompressor {
    void operator()(libdeflate_compressor* c) const { libdeflate_free_compressor(c); }
};

libdeflate_result inflate(std::span<const uint8_t> compressed, std::span<uint8_t> raw, size_t& got) {
    thread_local const std::unique_ptr<libdeflate_decompressor, FreeDecompressor> decompressor(
        libdeflate_alloc_decompressor());
    return libdeflate_zlib_decompress(decompressor.get(), compressed.data(), compressed.size(), raw.data(),
                                      raw.size(), &got);
}

[[noreturn]] void reject(libdeflate_result result, const std::string& subject, const std::string& place) {
    throw Error(subject, place, "valid compressed data",
                fmt::format("damaged data (code {})", static_cast<int>(result)));
}

}  // namespace

void inflate_zlib(std::span<const uint8_t> compressed, std::span<uint8_t> raw, const std::string& subject,
                  const std::string& place) {
    size_t got = 0;
    const auto result = inflate(compressed, raw, got);
    if (result != LIBDEFLATE_SUCCESS) reject(result, subject, place);
    if (got != raw.size())
        throw Error(subject, place, fmt::format("{} bytes of data", raw.size()), fmt::format("{}", got));
}

std::vector<uint8_t> inflate_zlib_up_to(std::span<const uint8_t> compressed, size_t limit,
                                        const std::string& subject, const std::string& place) {
    const size_t largest = std::min(limit, compressed.size() * kLargestDeflateRatio);
    std::vector<uint8_t> raw;
    auto result = LIBDEFLATE_INSUFFICIENT_SPACE;
    for (size_t size = 4 * compressed.size(); result == LIBDEFLATE_INSUFFICIENT_SPACE; size *= 4) {
        if (raw.size() == largest) reject(result, subject, place);
        raw.resize(std::min(size, largest));
        size_t got = 0;
        result = inflate(compressed, raw, got);
        if (result == LIBDEFLATE_SUCCESS) raw.resize(got);
    }
    if (result != LIBDEFLATE_SUCCESS) reject(result, subject, place);
    return raw;
}

std::vector<uint8_t> deflate_zlib(std::span<const uint8_t> raw, int level) {
    const std::unique_ptr<libdeflate_compressor, FreeCompressor> compressor(
        libdeflate_alloc_compressor(level));
    if (!compressor) throw std::bad_alloc();
    std::vector<uint8_t> compressed(libdeflate_zlib_compress_bound(compressor.get(), raw.size()));
    compressed.resize(libdeflate_zlib_compress(compressor.get(), raw.data(), raw.size(), compressed.data(),
                                               compressed.size()));
    return compressed;
}

}  // namespace mtlprune
