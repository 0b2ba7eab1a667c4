#include "training/archive_check.h"

#include <fmt/format.h>
#include <zip.h>

#include <memory>
#include <vector>

#include "base/error.h"

namespace mtlprune {
namespace {

struct CloseZip {
    void operator()(zip_t* archive) const { zip_discard(archive); }
    void operator()(zip_file_t* file) const { zip_fclose(file); }
};

[[noreturn]] void reject_archive(const std::string& place, const std::string& found) {
    throw Error("tensor file", place, "a complete ZIP archive of uncompressed entries", found);
}

struct ZipError {
    ZipError() { zip_error_init(&error); }
    ~ZipError() { zip_error_fini(&error); }
    ZipError(const ZipError&) = delete;
    ZipError& operator=(const ZipError&) = delete;
    zip_error_t error;
};

using ZipArchive = std::unique_ptr<zip_t, CloseZip>;

/// The library compares local headers with the directory.
ZipArchive open_checked(const std::string& bytes, const std::string& place) {
    ZipError problem;
    zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &problem.error);
    ZipArchive archive(source == nullptr ? nullptr
                                         : zip_open_from_source(source, ZIP_CHECKCONS, &problem.error));
    if (archive) return archive;
    zip_source_free(source);
    reject_archive(place, zip_error_strerror(&problem.error));
}

/// Reading to the end compares the check sum..
void read_entry(zip_t* archive, zip_uint64_t index, const std::string& place) {
    zip_stat_t entry;
    if (zip_stat_index(archive, index, 0, &entry) != 0) reject_archive(place, zip_strerror(archive));
    if (entry.comp_method != ZIP_CM_STORE)
        reject_archive(place, fmt::format("a compressed one, '{}'", entry.name));
    const std::unique_ptr<zip_file_t, CloseZip> file(zip_fopen_index(archive, index, 0));
    if (!file) reject_archive(place, fmt::format("{} in '{}'", zip_strerror(archive), entry.name));
    std::vector<char> piece(1 << 20);
    zip_uint64_t size = 0;
    zip_int64_t got = 0;
    while ((got = zip_fread(file.get(), piece.data(), piece.size())) > 0)
        size += static_cast<zip_uint64_t>(got);
    if (got < 0 || size != entry.size)
        reject_archive(place,
                       fmt::format("damaged bytes in '{}': {}", entry.name, zip_file_strerror(file.get())));
}

}  // namespace

void require_intact_archive(const std::string& bytes, const std::string& place) {
    const auto archive = open_checked(bytes, place);
    const auto entries = static_cast<zip_uint64_t>(zip_get_num_entries(archive.get(), 0));
    for (zip_uint64_t index = 0; index < entries; ++index) read_entry(archive.get(), index, place);
}

}  // namespace mtlprune
