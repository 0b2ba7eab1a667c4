// Files that exist completely or not at all.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

namespace mtlprune {

/// Writes `content` to a temporary file beside `path`, flushes it to disk and renames it over `path`.
/// Throws Error naming the path and the system's reason (disk full, read-only, no such folder); `path` is
/// then untouched and the temporary file removed.
void write_file_atomically(const std::filesystem::path& path, const std::string& content);

/// The whole file as bytes. Throws Error naming the path and the reason.
std::string read_file(const std::filesystem::path& path, const std::string& subject = "file");

/// Creates the folder and its parents; throws Error naming it and the reason.
void make_folder(const std::filesystem::path& path);

/// Lower-case hexadecimal SHA-256 of the bytes (64 characters).
std::string sha256_hex(const std::string& bytes);

}  // namespace mtlprune
