#include "models/weights/archive.h"

#include <fmt/format.h>
#include <zip.h>

#include "base/error.h"

namespace mtlprune {
namespace {

struct CloseEntry {
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

/// The library compares local headers with the directory.
zip_t* open_checked(const std::string& bytes, const std::string& place) {
    ZipError problem;
    zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &problem.error);
    zip_t* archive =
        source == nullptr ? nullptr : zip_open_from_source(source, ZIP_CHECKCONS, &problem.error);
    if (archive != nullptr) return archive;
    zip_source_free(source);
    reject_archive(place, zip_error_strerror(&problem.error));
}

}  // namespace

Archive::Archive(const std::string& bytes, std::string place)
    : place_(std::move(place)),
      zip_(open_checked(bytes, place_), [](zip* archive) { zip_discard(archive); }) {
    const auto count = static_cast<zip_uint64_t>(zip_get_num_entries(zip_.get(), 0));
    for (zip_uint64_t index = 0; index < count; ++index) {
        const char* name = zip_get_name(zip_.get(), index, 0);
        if (name == nullptr) reject_archive(place_, zip_strerror(zip_.get()));
        names_.emplace_back(name);
    }
}

Archive::~Archive() = default;

std::optional<uint64_t> Archive::size(const std::string& name) const {
    zip_stat_t entry;
    if (zip_stat(zip_.get(), name.c_str(), 0, &entry) != 0) return std::nullopt;
    return entry.size;
}

/// Reading to the end compares the check sum.
void Archive::read(const std::string& name, void* target, uint64_t size) const {
    zip_stat_t entry;
    if (zip_stat(zip_.get(), name.c_str(), 0, &entry) != 0)
        reject_archive(place_, fmt::format("no entry '{}'", name));
    if (entry.comp_method != ZIP_CM_STORE)
        reject_archive(place_, fmt::format("a compressed one, '{}'", name));
    if (entry.size != size)
        throw Error("tensor file", place_, fmt::format("{} bytes in '{}'", size, name),
                    std::to_string(entry.size));
    const std::unique_ptr<zip_file_t, CloseEntry> file(zip_fopen_index(zip_.get(), entry.index, 0));
    if (!file) reject_archive(place_, fmt::format("{} in '{}'", zip_strerror(zip_.get()), name));
    auto* bytes = static_cast<char*>(target);
    uint64_t done = 0;
    zip_int64_t got = 1;
    while (done < size && (got = zip_fread(file.get(), bytes + done, size - done)) > 0)
        done += static_cast<uint64_t>(got);
    char beyond = 0;
    if (done != size || zip_fread(file.get(), &beyond, 1) != 0)
        reject_archive(place_, fmt::format("damaged bytes in '{}': {}", name, zip_file_strerror(file.get())));
}

std::string Archive::read(const std::string& name) const {
    std::string content(size(name).value_or(0), '\0');
    read(name, content.data(), content.size());
    return content;
}

}  // namespace mtlprune
