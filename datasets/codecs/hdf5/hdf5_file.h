// Ownership and checks around the HDF5 C library: its errors become Error, its calls are made one at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mtlprune {

/// Element types that are read and written; `other` is everything else.
enum class Hdf5Type { uint8, uint16, uint32, uint64, int64, float32, reference, other };

/// Bytes of one element; 0 for `other`.
int64_t element_bytes(Hdf5Type type);
/// "uint8", "float32", ...
std::string to_string(Hdf5Type type);

/// An array inside an HDF5 file. May be used by several threads; the library itself is entered by one at a
/// time. Errors name the file and the array.
class Hdf5Dataset {
  public:
    Hdf5Type type() const { return type_; }
    const std::vector<int64_t>& shape() const { return shape_; }
    /// "FILE: /NAME", as errors name it.
    const std::string& place() const { return place_; }
    /// Bytes that the elements would take in memory.
    int64_t bytes() const;
    /// Bytes that the elements take in the file.
    int64_t stored_bytes() const;
    /// Where the elements lie in the file, one after the other; nothing when they are in chunks.
    std::optional<int64_t> file_offset() const;

    /// Throws Error unless the type and shape are these; -1 in `shape` stands for any length.
    void require(Hdf5Type type, const std::vector<int64_t>& shape) const;
    /// The elements [start, start + count) of each axis, in C order, to `out`. Chunks that are not compressed
    /// or compressed with deflate, after shuffle or not, are unpacked outside the library, so that several
    /// threads do so at once. No memory is taken beyond what the stored chunks can hold.
    void read(const std::vector<int64_t>& start, const std::vector<int64_t>& count, void* out) const;
    /// Everything as bytes; throws Error when that is more than the file can hold.
    std::vector<uint8_t> read_all() const;
    void write(const std::vector<int64_t>& start, const std::vector<int64_t>& count, const void* in);

  private:
    friend class Hdf5File;
    struct Impl;
    Hdf5Dataset(std::shared_ptr<Impl> impl, std::string place);
    void describe();
    void read_through_library(const std::vector<int64_t>& start, const std::vector<int64_t>& count,
                              void* out) const;
    void read_chunk(const std::vector<int64_t>& chunk_start, std::vector<uint8_t>& elements) const;

    std::shared_ptr<Impl> impl_;
    std::string place_;
    Hdf5Type type_ = Hdf5Type::other;
    std::vector<int64_t> shape_;
    std::vector<int64_t> chunk_;  ///< empty unless in chunks that can be unpacked here
};

class Hdf5File {
  public:
    /// Opens for reading. Throws Error naming the file and the reason: missing, unreadable, not HDF5,
    /// truncated.
    static Hdf5File open(const std::filesystem::path& path);
    /// Creates or empties `path`; the structure gets the library's check sums (format of HDF5 1.10).
    static Hdf5File create(const std::filesystem::path& path);

    bool has(const std::string& name) const;
    /// Throws Error when there is no array of that name ("group/name").
    Hdf5Dataset dataset(const std::string& name) const;
    /// A new array, its elements one after the other in the file; groups in `name` are made.
    Hdf5Dataset add(const std::string& name, Hdf5Type type, const std::vector<int64_t>& shape);
    /// The strings of a MATLAB cell array (references to UTF-16 arrays).
    std::vector<std::string> read_cell_strings(const std::string& name) const;
    /// Text attribute of the root group; reading throws Error when there is none.
    std::string text_attribute(const std::string& name) const;
    void set_text_attribute(const std::string& name, const std::string& text);
    /// Writes everything to disk and closes; throws Error on failure. The destructor closes too, silently.
    void close();
    const std::filesystem::path& path() const { return path_; }

  private:
    struct Impl;
    explicit Hdf5File(std::filesystem::path path) : path_(std::move(path)) {}
    std::filesystem::path path_;
    std::shared_ptr<Impl> impl_;
};

}  // namespace mtlprune
