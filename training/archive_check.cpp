#include "training/archive_check.h"

#include <fmt/format.h>
#include <libdeflate.h>

#include <cstdint>
#include <cstring>
#include <string_view>

#include "datasets/error.h"

namespace mtlprune {
namespace {

// PKWARE's APPNOTE.TXT 6.3.9, sections 4.3.7 (local header), 4.3.12 (directory), 4.3.14 - 4.3.16 (end
// records).
constexpr uint32_t kLocalHeader = 0x04034b50;
constexpr uint32_t kDirectoryHeader = 0x02014b50;
constexpr uint32_t kEndRecord = 0x06054b50;
constexpr uint32_t kEndRecord64 = 0x06064b50;
constexpr uint32_t kEndLocator64 = 0x07064b50;
constexpr size_t kLocalHeaderSize = 30;
constexpr size_t kDirectoryHeaderSize = 46;
constexpr size_t kEndRecordSize = 22;
constexpr size_t kEndRecord64Size = 56;
constexpr size_t kEndLocator64Size = 20;

class Archive {
  public:
    Archive(std::string_view bytes, const std::string& place) : bytes_(bytes), place_(place) {}

    void check() const {
        require(bytes_.size() >= kEndRecordSize, "a ZIP archive", "too few bytes");
        const size_t end = bytes_.size() - kEndRecordSize;
        require(read<uint32_t>(end) == kEndRecord, "a complete ZIP archive", "no end record");
        const size_t entries = read<uint16_t>(end + 10);
        const size_t directory_size = read<uint32_t>(end + 12);
        const size_t directory = read<uint32_t>(end + 16);
        require(directory < UINT32_MAX && entries < UINT16_MAX,
                "an archive below 4 GiB with fewer than 65535 entries", "a larger one");
        check_end64(end, entries, directory_size, directory);
        require(directory + directory_size <= end, "a directory inside the file", "one that leaves it");
        size_t position = directory;
        for (size_t entry = 0; entry < entries; ++entry) position = check_entry(position, directory);
        require(position == directory + directory_size, "a directory of the stated size", "another size");
    }

  private:
    void require(bool holds, const char* expected, const std::string& found) const {
        if (!holds) throw Error("tensor file", place_, expected, found);
    }

    template <typename T>
    T read(size_t position) const {
        require(position + sizeof(T) <= bytes_.size(), "a complete file", "its end too early");
        T value;  // little endian, as this program's platforms
        std::memcpy(&value, bytes_.data() + position, sizeof(T));
        return value;
    }

    std::string_view slice(size_t position, size_t size) const {
        require(position <= bytes_.size() && size <= bytes_.size() - position, "a complete file",
                "an entry that leaves it");
        return bytes_.substr(position, size);
    }

    /// The 64-bit end records are what LibTorch reads when they are there.
    void check_end64(size_t end, size_t entries, size_t directory_size, size_t directory) const {
        constexpr size_t kBoth = kEndRecord64Size + kEndLocator64Size;
        if (end < kBoth || read<uint32_t>(end - kEndLocator64Size) != kEndLocator64) return;
        const size_t record = end - kBoth;
        const bool same =
            read<uint64_t>(end - kEndLocator64Size + 8) == record && read<uint32_t>(record) == kEndRecord64 &&
            read<uint64_t>(record + 24) == entries && read<uint64_t>(record + 32) == entries &&
            read<uint64_t>(record + 40) == directory_size && read<uint64_t>(record + 48) == directory;
        require(same, "equal 32-bit and 64-bit end records", "different ones");
    }

    /// Checks the entry whose directory header is at `position`; returns the position of the next one.
    size_t check_entry(size_t position, size_t directory) const {
        require(read<uint32_t>(position) == kDirectoryHeader, "a directory entry", "other bytes");
        const size_t name_size = read<uint16_t>(position + 28);
        const auto name = slice(position + kDirectoryHeaderSize, name_size);
        const size_t size = read<uint32_t>(position + 20);
        require(read<uint16_t>(position + 10) == 0 && read<uint32_t>(position + 24) == size,
                "stored (uncompressed) entries", fmt::format("a compressed one, '{}'", name));
        const size_t local = read<uint32_t>(position + 42);
        require(read<uint32_t>(local) == kLocalHeader && read<uint16_t>(local + 26) == name_size &&
                    slice(local + kLocalHeaderSize, name_size) == name,
                "equal names in directory and entry", fmt::format("a difference at '{}'", name));
        const size_t data = local + kLocalHeaderSize + name_size + read<uint16_t>(local + 28);
        require(data + size <= directory, "entries before the directory",
                fmt::format("'{}' beyond it", name));
        const auto content = slice(data, size);
        require(libdeflate_crc32(0, content.data(), content.size()) == read<uint32_t>(position + 16),
                "the checksum of every entry to match", fmt::format("damaged bytes in '{}'", name));
        return position + kDirectoryHeaderSize + name_size + read<uint16_t>(position + 30) +
               read<uint16_t>(position + 32);
    }

    std::string_view bytes_;
    const std::string& place_;
};

}  // namespace

void require_intact_archive(const std::string& bytes, const std::string& place) {
    Archive(bytes, place).check();
}

}  // namespace mtlprune
