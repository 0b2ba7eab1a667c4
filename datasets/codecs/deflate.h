// Compression in the zlib format (RFC 1950), as PNG and HDF5 use it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mtlprune {

/// A compressed byte can stand for at most this many; bounds what a file of known size can hold.
inline constexpr int64_t kLargestDeflateRatio = 1032;

/// Fills `raw` exactly. Throws Error naming `subject` and `place` for damaged data and for another length.
void inflate_zlib(std::span<const uint8_t> compressed, std::span<uint8_t> raw, const std::string& subject,
                  const std::string& place);

/// All of it, when the size is not known before. Throws as above, also when it is more than `limit` bytes.
std::vector<uint8_t> inflate_zlib_up_to(std::span<const uint8_t> compressed, size_t limit,
                                        const std::string& subject, const std::string& place);

/// `level` 1 (fast) to 12 (small).
std::vector<uint8_t> deflate_zlib(std::span<const uint8_t> raw, int level);

}  // namespace mtlprune
