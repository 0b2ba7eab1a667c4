// What a data set's files hold, as one hash.
#pragma once

#include <filesystem>
#include <string>

namespace mtlprune {

/// SHA-256 (64 hex digits) over relative names and contents of all files of a folder (or over one file): the
/// same wherever the data lies. "absent" when there is nothing at `path`; opening the data set then says what
/// is missing. Reading every file takes as long as copying the data set, so the result is kept in
/// $MTLPRUNE_CACHE (default $XDG_CACHE_HOME/mtlprune or ~/.cache/mtlprune) under the names, sizes and times
/// of all files; with these unchanged nothing is read. Throws Error naming a file that cannot be read.
std::string data_fingerprint(const std::filesystem::path& path);

}  // namespace mtlprune
