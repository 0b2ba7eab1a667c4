#include "datasets/codecs/zip_file.h"

#include <fmt/format.h>
#include <zip.h>

#include <memory>

#include "base/error.h"

namespace mtlprune {
namespace {

constexpr zip_uint64_t kLargestMember = 16 << 20;

struct Close {
    void operator()(zip_t* archive) const { zip_discard(archive); }
    void operator()(zip_file_t* file) const { zip_fclose(file); }
};
using Archive = std::unique_ptr<zip_t, Close>;
using Member = std::unique_ptr<zip_file_t, Close>;

[[noreturn]] void fail(const std::string& place, const char* reason) {
    throw Error(fmt::format("zip archive: {}: cannot read: {}", place, reason));
}

Archive open(const std::filesystem::path& path) {
    int code = 0;
    Archive archive(zip_open(path.c_str(), ZIP_RDONLY, &code));
    if (archive) return archive;
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    fail(path.string(), reason.c_str());
}

}  // namespace

std::vector<std::string> zip_members(const std::filesystem::path& archive) {
    const Archive opened = open(archive);
    std::vector<std::string> names;
    const zip_int64_t count = zip_get_num_entries(opened.get(), 0);
    for (zip_int64_t i = 0; i < count; ++i) {
        const char* name = zip_get_name(opened.get(), static_cast<zip_uint64_t>(i), 0);
        if (name == nullptr) fail(archive.string(), zip_strerror(opened.get()));
        names.emplace_back(name);
    }
    return names;
}

std::string read_zip_member(const std::filesystem::path& archive, const std::string& member) {
    const Archive opened = open(archive);
    const std::string place = archive.string() + ": " + member;
    zip_stat_t status;
    if (zip_stat(opened.get(), member.c_str(), 0, &status) != 0) fail(place, zip_strerror(opened.get()));
    if ((status.valid & ZIP_STAT_SIZE) == 0 || status.size > kLargestMember)
        throw Error("zip archive", place, fmt::format("at most {} bytes", kLargestMember),
                    fmt::format("{}", status.size));
    const Member file(zip_fopen_index(opened.get(), status.index, 0));
    if (!file) fail(place, zip_strerror(opened.get()));
    // One byte more than declared, so that the library reaches the end and compares the check sum.
    std::string content(status.size + 1, '\0');
    zip_uint64_t done = 0;
    while (done < content.size()) {
        const zip_int64_t got = zip_fread(file.get(), content.data() + done, content.size() - done);
        if (got < 0) fail(place, zip_file_strerror(file.get()));
        if (got == 0) break;
        done += static_cast<zip_uint64_t>(got);
    }
    if (done != status.size)
        throw Error("zip archive", place, fmt::format("{} bytes", status.size), fmt::format("{}", done));
    content.resize(status.size);
    return content;
}

}  // namespace mtlprune
