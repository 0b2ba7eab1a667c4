// Bytes under a path, for readers that open files.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace mtlprune {

class MemoryFile {
  public:
    MemoryFile(const uint8_t* data, size_t size) : file_(::memfd_create("input", MFD_CLOEXEC)) {
        if (file_ < 0 || ::write(file_, data, size) != static_cast<ssize_t>(size))
            throw std::runtime_error("cannot create a file in memory");
    }
    ~MemoryFile() { ::close(file_); }
    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;
    std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(file_); }

  private:
    int file_;
};

}  // namespace mtlprune
