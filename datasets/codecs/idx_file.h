// The idx array format of MNIST and its relatives.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace mtlprune {

/// Unsigned bytes in row-major order.
struct IdxArray {
    std::vector<int64_t> shape;
    std::vector<uint8_t> values;
};

/// Reads the content of an idx file (yann.lecun.com/exdb/mnist): two zero bytes, the type (08 = unsigned
/// byte), the number of dimensions, big-endian 32-bit lengths, values. Throws Error naming `place` unless it
/// has `dimensions` dimensions of unsigned bytes, lengths of 1 or more and exactly the bytes that they
/// declare.
IdxArray parse_idx(std::vector<uint8_t> bytes, size_t dimensions, const std::string& place);

/// The same from a file, gzip-compressed (recognised by content) or plain.
IdxArray read_idx(const std::filesystem::path& path, size_t dimensions);

}  // namespace mtlprune
