// A file opened for reading at any position, without an intermediate stream or copy.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace mtlprune {

class InputFile {
  public:
    /// Opens `path`; `subject` names the kind of file in messages. Throws Error naming the path and the
    /// system's reason.
    InputFile(std::filesystem::path path, std::string subject);
    ~InputFile();
    InputFile(const InputFile&) = delete;
    InputFile& operator=(const InputFile&) = delete;

    const std::filesystem::path& path() const { return path_; }
    /// Bytes.
    int64_t size() const { return size_; }
    /// Reads exactly `length` bytes from `offset`; throws Error when the file ends before.
    void read(void* destination, size_t length, int64_t offset) const;
    /// Reads at most `length` bytes from `offset`, returns how many.
    size_t read_up_to(void* destination, size_t length, int64_t offset) const;

    /// The whole file. Throws Error also when there is not enough memory for it.
    std::vector<uint8_t> read_all() const;

  private:
    [[noreturn]] void fail(int code) const;

    std::filesystem::path path_;
    std::string subject_;
    int file_ = -1;
    int64_t size_ = 0;
};

}  // namespace mtlprune
