// Whole gzip files in memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mtlprune {

/// True when the bytes start like a gzip file (RFC 1952).
bool is_gzip(const std::vector<uint8_t>& bytes);

/// The content of a gzip file of one or several members (RFC 1952), one behind the other. Memory is taken
/// only for what the compressed bytes can hold. Throws Error naming `place` for anything damaged, truncated
/// or followed by other bytes.
std::vector<uint8_t> gunzip(const std::vector<uint8_t>& bytes, const std::string& place);

}  // namespace mtlprune
