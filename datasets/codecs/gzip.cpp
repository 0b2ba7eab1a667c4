#include "datasets/codecs/gzip.h"

#include <fmt/format.h>
#include <libdeflate.h>

#include <algorithm>
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

using Decompressor = std::unique_ptr<libdeflate_decompressor, FreeGzipDecompressor>;

/// `read` bytes are complete members.
[[noreturn]] void reject_gzip(const std::vector<uint8_t>& bytes, size_t read, const std::string& place) {
    const bool next = bytes.size() - read >= 2 && bytes[read] == 0x1f && bytes[read + 1] == 0x8b;
    if (read > 0 && !next)
        throw Error("gzip file", place, "gzip members and nothing behind them",
                    fmt::format("{} bytes behind them", bytes.size() - read));
    throw Error("gzip file", place, "complete, undamaged compressed data",
                fmt::format("{} bytes that end too early or are damaged: the download stopped or failed",
                            bytes.size()));
}

}  // namespace

bool is_gzip(const std::vector<uint8_t>& bytes) {
    return bytes.size() >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

std::vector<uint8_t> gunzip(const std::vector<uint8_t>& bytes, const std::string& place) {
    if (!is_gzip(bytes) || bytes.size() < kSmallest)
        throw Error("gzip file", place, "a complete gzip file", fmt::format("{} bytes", bytes.size()));
    const uint64_t most = bytes.size() * kLargestRatio, declared = declared_size(bytes);
    const Decompressor decompressor(libdeflate_alloc_decompressor());
    // Right at once for one member; a size that cannot be belongs to a damaged file or to the last of several
    // members.
    std::vector<uint8_t> content(declared <= most ? declared : std::min<uint64_t>(most, 4 * bytes.size()));
    size_t read = 0, written = 0;
    while (read < bytes.size()) {
        size_t used = 0, got = 0;
        const auto result =
            libdeflate_gzip_decompress_ex(decompressor.get(), bytes.data() + read, bytes.size() - read,
                                          content.data() + written, content.size() - written, &used, &got);
        if (result == LIBDEFLATE_INSUFFICIENT_SPACE && content.size() < most) {
            content.resize(std::min<uint64_t>(most, 2 * content.size() + kSmallest));
            continue;
        }
        if (result != LIBDEFLATE_SUCCESS) reject_gzip(bytes, read, place);
        read += used;
        written += got;
    }
    content.resize(written);
    return content;
}

}  // namespace mtlprune
