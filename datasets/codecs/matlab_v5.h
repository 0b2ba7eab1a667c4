// The small MATLAB files (version 5) that come with NYUv2: splits and class mappings.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace mtlprune {

/// The whole numbers of the variable `name` in column order; "a.b" is field b of the 1x1 structure a. Throws
/// Error naming the file and the variable: not a MATLAB file of version 5, no such variable, not a real
/// matrix of doubles or integers, a value that is not a whole number in [low, high].
std::vector<int64_t> read_matlab_integers(const std::filesystem::path& path, const std::string& name,
                                          int64_t low, int64_t high);

/// The strings of the cell array `name`, named as above.
std::vector<std::string> read_matlab_strings(const std::filesystem::path& path, const std::string& name);

}  // namespace mtlprune
