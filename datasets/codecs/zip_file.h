// Reads small files out of zip archives.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace mtlprune {

/// The names of an archive's members, in its order. Throws Error naming the archive and the reason.
std::vector<std::string> zip_members(const std::filesystem::path& archive);

/// The content of one member, verified by its check sum. Throws Error naming archive and member: not there,
/// damaged, encrypted, or larger than 16 MiB (before memory is taken).
std::string read_zip_member(const std::filesystem::path& archive, const std::string& member);

}  // namespace mtlprune
