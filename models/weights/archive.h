// The ZIP files in which LibTorch and PyTorch store tensors.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

struct zip;

namespace mtlprune {

/// Entries of one archive in memory. LibTorch's own reader verifies no checksum and decodes whatever it
/// finds; this one reads nothing that is damaged.
class Archive {
  public:
    /// Throws Error naming `place` (the file) unless `bytes` are one complete archive whose directory is
    /// consistent. `bytes` must outlive it.
    Archive(const std::string& bytes, std::string place);
    ~Archive();

    const std::vector<std::string>& names() const { return names_; }
    /// Bytes of an entry; nothing when there is none of this name.
    std::optional<uint64_t> size(const std::string& name) const;
    /// Reads exactly `size` bytes. Throws Error naming entry and place when there is no such entry, or one of
    /// another size, compressed or damaged.
    void read(const std::string& name, void* target, uint64_t size) const;
    std::string read(const std::string& name) const;

  private:
    std::string place_;
    std::unique_ptr<zip, void (*)(zip*)> zip_;
    std::vector<std::string> names_;
};

}  // namespace mtlprune
