// Text files of data sets.
#pragma once

#include <filesystem>
#include <string>

namespace mtlprune {

/// The whole text of a file as read_file() reads it, without the byte-order mark that some programs write
/// before UTF-8. Throws Error naming the path also for what stands in the place of a file that was not
/// fetched: an HTML page, a Git LFS pointer.
std::string read_text(const std::filesystem::path& path, const std::string& subject);

}  // namespace mtlprune
