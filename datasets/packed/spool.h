// Bytes that wait on disk until their total is known.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace mtlprune {

/// A first-in, first-out store in a file without a name, which vanishes by itself.
class Spool {
  public:
    /// On the disk of `beside`. Throws Error naming it and the system's reason, as the functions below do.
    explicit Spool(const std::filesystem::path& beside);
    ~Spool();
    Spool(const Spool&) = delete;
    Spool& operator=(const Spool&) = delete;

    void append(const std::vector<uint8_t>& bytes);
    /// The next `length` bytes, in the order in which they were appended.
    std::vector<uint8_t> take(int64_t length);

  private:
    [[noreturn]] void fail() const;

    std::filesystem::path path_;
    int file_ = -1;
    int64_t position_ = 0;
};

}  // namespace mtlprune
