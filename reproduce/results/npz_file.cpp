#include "reproduce/results/npz_file.h"

#include <fmt/format.h>
#include <zip.h>

#include <memory>

#include "base/error.h"

namespace mtlprune {
namespace {

constexpr zip_uint16_t kFirstDate = (1 << 5) | 1;  // 1980-01-01, the earliest that ZIP files know

[[noreturn]] void fail_to_zip(const std::string& reason) {
    throw Error("array file", "compressing", "arrays to be written", reason);
}

std::string npy_bytes(const std::string& name, const torch::Tensor& array) {
    const bool is_float = array.scalar_type() == torch::kFloat32;
    if (!is_float && array.scalar_type() != torch::kInt64)
        throw Error("array file", name, "float32 or int64", c10::toString(array.scalar_type()));
    std::string shape;
    for (const int64_t size : array.sizes()) shape += fmt::format("{}, ", size);
    auto header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}",
                              is_float ? "<f4" : "<i8", shape);
    constexpr size_t kBefore = 10, kAlignment = 64;  // magic string, version and length of the header
    header.append(kAlignment - 1 - (kBefore + header.size()) % kAlignment, ' ');
    header += '\n';
    std::string bytes("\x93NUMPY\x01\x00", 8);
    bytes += static_cast<char>(header.size() & 0xff);
    bytes += static_cast<char>(header.size() >> 8);
    const auto data = array.contiguous().cpu();
    return bytes + header + std::string(static_cast<const char*>(data.data_ptr()), data.nbytes());
}

struct DropArchive {
    void operator()(zip_t* archive) const { zip_discard(archive); }
};

struct FreeSource {
    void operator()(zip_source_t* source) const { zip_source_free(source); }
};

using Source = std::unique_ptr<zip_source_t, FreeSource>;

void add_member(zip_t* archive, const std::string& name, const std::string& bytes) {
    Source source(zip_source_buffer(archive, bytes.data(), bytes.size(), 0));
    if (!source) fail_to_zip(zip_strerror(archive));
    const auto index = zip_file_add(archive, name.c_str(), source.get(), ZIP_FL_ENC_UTF_8);
    if (index < 0) fail_to_zip(zip_strerror(archive));
    source.release();  // the archive's now
    const auto member = static_cast<zip_uint64_t>(index);
    if (zip_file_set_dostime(archive, member, 0, kFirstDate, 0) != 0 ||
        zip_set_file_compression(archive, member, ZIP_CM_DEFLATE, 0) != 0)
        fail_to_zip(zip_strerror(archive));
}

std::string content_of(zip_source_t* source) {
    zip_stat_t about;
    if (zip_source_stat(source, &about) != 0 || zip_source_open(source) != 0)
        fail_to_zip(zip_error_strerror(zip_source_error(source)));
    std::string bytes(about.size, '\0');
    const auto got = zip_source_read(source, bytes.data(), bytes.size());
    zip_source_close(source);
    if (got != static_cast<zip_int64_t>(bytes.size())) fail_to_zip("fewer bytes than were compressed");
    return bytes;
}

}  // namespace

std::string encode_npz(const std::vector<std::pair<std::string, torch::Tensor>>& arrays) {
    std::vector<std::string> members;  // they outlive the archive
    members.reserve(arrays.size());
    Source file(zip_source_buffer_create(nullptr, 0, 0, nullptr));
    if (!file) fail_to_zip("no memory");
    zip_source_keep(file.get());
    std::unique_ptr<zip_t, DropArchive> archive(zip_open_from_source(file.get(), ZIP_TRUNCATE, nullptr));
    if (!archive) {
        zip_source_free(file.get());
        fail_to_zip("no archive in memory");
    }
    for (const auto& [name, array] : arrays)
        add_member(archive.get(), name + ".npy", members.emplace_back(npy_bytes(name, array)));
    if (zip_close(archive.get()) != 0) fail_to_zip(zip_strerror(archive.get()));
    archive.release();
    return content_of(file.get());
}

}  // namespace mtlprune
