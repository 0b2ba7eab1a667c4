#include "base/input_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "base/error.h"

namespace mtlprune {

InputFile::InputFile(std::filesystem::path path, std::string subject)
    : path_(std::move(path)),
      subject_(std::move(subject)),
      // A pipe among the files must not make its reader wait for ever.
      file_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (file_ < 0) fail(errno);
    struct stat status = {};
    int code = ::fstat(file_, &status) == 0 ? 0 : errno;
    if (code == 0 && S_ISDIR(status.st_mode)) code = EISDIR;
    if (code != 0) {
        ::close(file_);
        fail(code);
    }
    if (!S_ISREG(status.st_mode)) {
        ::close(file_);
        throw Error(subject_, path_.string(), "a file", "a pipe or device");
    }
    size_ = status.st_size;
}

InputFile::~InputFile() {
    ::close(file_);
}

void InputFile::fail(int code) const {
    throw Error(subject_, path_.string(), fmt::format("cannot read: {}", std::strerror(code)));
}

size_t InputFile::read_up_to(void* destination, size_t length, int64_t offset) const {
    size_t done = 0;
    while (done < length) {
        const auto n = ::pread(file_, static_cast<char*>(destination) + done, length - done,
                               offset + static_cast<int64_t>(done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail(errno);
        if (n == 0) break;
        done += static_cast<size_t>(n);
    }
    return done;
}

void InputFile::read(void* destination, size_t length, int64_t offset) const {
    const size_t done = read_up_to(destination, length, offset);
    if (done != length)
        throw Error(subject_, path_.string(), fmt::format("{} bytes at {}", length, offset),
                    fmt::format("{}", done));
}

std::vector<uint8_t> InputFile::read_all() const {
    std::vector<uint8_t> bytes;
    try {
        bytes.resize(static_cast<size_t>(size_));
    } catch (const std::bad_alloc&) {
        fail(ENOMEM);
    }
    read(bytes.data(), bytes.size(), 0);
    return bytes;
}

}  // namespace mtlprune
