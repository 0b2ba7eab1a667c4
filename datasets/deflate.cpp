#include "datasets/deflate.h"

#include <fmt/format.h>
#include <libdeflate.h>

#include <memory>
#include <new>

#include "datasets/error.h"

namespace mtlprune {
namespace {

struct FreeDecompressor {
    void operator()(libdeflate_decompressor* d) const { libdeflate_free_decompressor(d); }
};
struct FreeCompressor {
    void operator()(libdeflate_compressor* c) const { libdeflate_free_compressor(c); }
};

}  // namespace

void inflate_zlib(std::span<const uint8_t> compressed, std::span<uint8_t> raw, const std::string& subject,
                  const std::string& place) {
    thread_local const std::unique_ptr<libdeflate_decompressor, FreeDecompressor> decompressor(
        libdeflate_alloc_decompressor());
    size_t got = 0;
    const auto result = libdeflate_zlib_decompress(decompressor.get(), compressed.data(), compressed.size(),
                                                   raw.data(), raw.size(), &got);
    if (result != LIBDEFLATE_SUCCESS)
        throw Error(subject, place, "valid compressed data",
                    fmt::format("damaged data (code {})", static_cast<int>(result)));
    if (got != raw.size())
        throw Error(subject, place, fmt::format("{} bytes of data", raw.size()), fmt::format("{}", got));
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
