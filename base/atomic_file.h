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

/// A file that a library writes by itself: under a temporary name until it is complete.
class PendingFile {
  public:
    explicit PendingFile(std::filesystem::path path);
    /// Removes the temporary file unless it was committed.
    ~PendingFile();
    PendingFile(const PendingFile&) = delete;
    PendingFile& operator=(const PendingFile&) = delete;
    /// Where to write.
    const std::filesystem::path& temporary() const { return temporary_; }
    /// Flushes the closed temporary file to disk and renames it to `path`; throws Error naming `path`.
    void commit();

  private:
    std::filesystem::path path_;
    std::filesystem::path temporary_;
};

/// The whole file as bytes, up to its end and never less. Throws Error naming the path and the system's
/// reason, that there is not enough memory for it among them. Text of data sets is read by read_text()
/// (base/text_file.h).
std::string read_file(const std::filesystem::path& path, const std::string& subject = "file");

/// Creates the folder and its parents; throws Error naming it and the reason.
void make_folder(const std::filesystem::path& path);

/// Lower-case hexadecimal SHA-256 of the bytes (64 characters).
std::string sha256_hex(const std::string& bytes);

}  // namespace mtlprune
