#include "datasets/packed/spool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace mtlprune {

Spool::Spool(const std::filesystem::path& beside) : path_(beside) {
    std::string name = beside.string() + ".XXXXXX";
    file_ = ::mkostemp(name.data(), O_CLOEXEC);
    if (file_ < 0) fail();
    ::unlink(name.c_str());
}

Spool::~Spool() {
    ::close(file_);
}

void Spool::append(const std::vector<uint8_t>& bytes) {
    for (size_t done = 0; done < bytes.size();) {
        const ssize_t n = ::write(file_, bytes.data() + done, bytes.size() - done);
        if (n < 0 && errno != EINTR) fail();
        if (n > 0) done += static_cast<size_t>(n);
    }
}

std::vector<uint8_t> Spool::take(int64_t length) {
    std::vector<uint8_t> bytes(length);
    for (size_t done = 0; done < bytes.size();) {
        const ssize_t n = ::pread(file_, bytes.data() + done, bytes.size() - done, position_);
        if (n == 0 || (n < 0 && errno != EINTR)) fail();
        if (n < 0) continue;
        done += static_cast<size_t>(n);
        position_ += n;
    }
    return bytes;
}

void Spool::fail() const {
    throw Error(fmt::format("{}: cannot write: {}", path_.string(), std::strerror(errno)));
}

}  // namespace mtlprune
