#include "base/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <stdexcept>
#include <system_error>

#include "base/error.h"

namespace mtlprune {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const char* what, int code) {
    throw Error(fmt::format("{}: {}: {}", path.string(), what, std::strerror(code)));
}

void write_all(int file, const std::string& content) {
    size_t done = 0;
    while (done < content.size()) {
        const ssize_t n = ::write(file, content.data() + done, content.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) throw std::system_error(n < 0 ? errno : EIO, std::generic_category());
        done += static_cast<size_t>(n);
    }
    if (::fsync(file) != 0) throw std::system_error(errno, std::generic_category());
}

constexpr size_t kBlock = 1 << 14;

struct OpenFile {
    explicit OpenFile(const std::filesystem::path& path)
        : number(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
    ~OpenFile() {
        if (number >= 0) ::close(number);
    }
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;
    int number;
};

}  // namespace

void write_file_atomically(const std::filesystem::path& path, const std::string& content) {
    const std::string temporary = fmt::format("{}.tmp{}", path.string(), ::getpid());
    const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0) fail(path, "cannot write", errno);
    int code = 0;
    try {
        write_all(file, content);
    } catch (const std::system_error& error) {
        code = error.code().value();
    }
    if (::close(file) != 0 && code == 0) code = errno;
    if (code == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) code = errno;
    if (code != 0) {
        ::unlink(temporary.c_str());
        fail(path, "cannot write", code);
    }
}

PendingFile::PendingFile(std::filesystem::path path)
    : path_(std::move(path)), temporary_(fmt::format("{}.tmp{}", path_.string(), ::getpid())) {}

PendingFile::~PendingFile() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void PendingFile::commit() {
    const int file = ::open(temporary_.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) fail(path_, "cannot write", errno);
    int code = ::fsync(file) == 0 ? 0 : errno;
    ::close(file);
    if (code == 0 && ::rename(temporary_.c_str(), path_.c_str()) != 0) code = errno;
    if (code != 0) fail(path_, "cannot write", code);
    temporary_.clear();
}

std::string read_file(const std::filesystem::path& path, const std::string& subject) {
    const std::string what = fmt::format("cannot read {}", subject);
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored))
        throw Error(subject, path.string(), "a file", "a folder");
    const OpenFile file(path);
    if (file.number < 0) fail(path, what.c_str(), errno);
    std::string content;
    size_t done = 0;
    try {
        struct stat status = {};
        const bool sized = ::fstat(file.number, &status) == 0 && S_ISREG(status.st_mode);
        content.resize(std::max(kBlock, sized ? static_cast<size_t>(status.st_size) + 1 : 0));
        while (true) {
            if (done == content.size()) content.resize(2 * done);
            const ssize_t n = ::read(file.number, content.data() + done, content.size() - done);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) fail(path, what.c_str(), errno);
            if (n == 0) break;
            done += static_cast<size_t>(n);
        }
        content.resize(done);
        content.shrink_to_fit();
    } catch (const std::bad_alloc&) {
        fail(path, what.c_str(), ENOMEM);
    } catch (const std::length_error&) {
        fail(path, what.c_str(), ENOMEM);
    }
    return content;
}

void make_folder(const std::filesystem::path& path) {
    std::error_code code;
    std::filesystem::create_directories(path, code);
    if (code) throw Error(fmt::format("{}: cannot create folder: {}", path.string(), code.message()));
}

std::string sha256_hex(const std::string& bytes) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    EVP_Digest(bytes.data(), bytes.size(), digest, &length, EVP_sha256(), nullptr);
    std::string hex;
    for (unsigned int i = 0; i < length; ++i) hex += fmt::format("{:02x}", digest[i]);
    return hex;
}

}  // namespace mtlprune
