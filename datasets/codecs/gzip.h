// Whole gzip files in memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mtlprune {

/// True when the bytes start like a gzip file (RFC 1952).
bool is_gzip(const std::vector<uint8_t>& bytes);

/// The content of a gzip file of one member and less than 4 GiB. The size that the file declares is checked
/// against what its compressed bytes can hold before memory is taken. Throws Error naming `place` for
/// anything damaged, truncated or followed by other bytes.
std::vector<uint8_t> gunzip(const std::vector<uint8_t>& bytes, const std::string& place);

}  // namespace mtlprune
