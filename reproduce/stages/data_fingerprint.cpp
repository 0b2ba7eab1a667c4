#include "reproduce/stages/data_fingerprint.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "base/atomic_file.h"
#include "base/cache_folder.h"
#include "base/error.h"
#include "base/input_file.h"

namespace mtlprune {
namespace {

namespace fs = std::filesystem;

struct DataFile {
    std::string name;  ///< relative to the data set
    fs::path path;
    bool operator<(const DataFile& other) const { return name < other.name; }
};

std::vector<DataFile> data_files(const fs::path& root) {
    if (!fs::is_directory(root)) return {{"", root}};
    std::vector<DataFile> files;
    std::error_code code;
    const auto follow = fs::directory_options::follow_directory_symlink;
    for (fs::recursive_directory_iterator entry(root, follow, code), end; !code && entry != end;
         entry.increment(code))
        if (std::error_code broken; entry->is_regular_file(broken))
            files.push_back({entry->path().lexically_relative(root).string(), entry->path()});
    if (code) throw Error("data set", root.string(), fmt::format("cannot list: {}", code.message()));
    std::sort(files.begin(), files.end());
    return files;
}

/// Names, sizes and times: what changes when a file does.
std::string listing_of(const fs::path& root, const std::vector<DataFile>& files) {
    std::string listing = fs::absolute(root).string();
    for (const auto& file : files) {
        struct stat status = {};
        if (::stat(file.path.c_str(), &status) != 0)
            throw Error("data set", file.path.string(), fmt::format("cannot read: {}", std::strerror(errno)));
        listing += fmt::format("\n{} {} {} {}.{:09}", file.name, status.st_ino, status.st_size,
                               status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    }
    return listing;
}

class Sha256 {
  public:
    Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
        EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
    }
    void add(const void* bytes, size_t count) { EVP_DigestUpdate(context_.get(), bytes, count); }
    void add(const std::string& text) { add(text.data(), text.size()); }
    std::string hex() {
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned int length = 0;
        EVP_DigestFinal_ex(context_.get(), digest, &length);
        std::string text;
        for (unsigned int i = 0; i < length; ++i) text += fmt::format("{:02x}", digest[i]);
        return text;
    }

  private:
    std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

std::string content_of(const std::vector<DataFile>& files) {
    constexpr size_t kBlock = 1 << 20;
    std::vector<char> block(kBlock);
    Sha256 hash;
    for (const auto& file : files) {
        const InputFile input(file.path, "data set");
        hash.add(fmt::format("{}\n{}\n", file.name, input.size()));
        for (int64_t offset = 0; const size_t count = input.read_up_to(block.data(), kBlock, offset);
             offset += static_cast<int64_t>(count))
            hash.add(block.data(), count);
    }
    return hash.hex();
}

}  // namespace

std::string data_fingerprint(const fs::path& path) {
    std::error_code code;
    if (!fs::exists(path, code)) return "absent";
    const auto files = data_files(path);
    const auto folder = cache_folder();
    const auto known = folder.value_or("") / ("fingerprint_" + sha256_hex(listing_of(path, files)));
    if (folder && fs::exists(known, code)) return read_file(known);
    const auto content = content_of(files);
    try {
        if (folder) {
            make_folder(*folder);
            write_file_atomically(known, content);
        }
    } catch (const Error&) {
        // Without a place to keep it, it is computed again.
    }
    return content;
}

}  // namespace mtlprune
