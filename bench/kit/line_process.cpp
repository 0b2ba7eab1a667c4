#include "bench/kit/line_process.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "base/error.h"

extern char** environ;

namespace mtlprune {
namespace {

constexpr double kPatience = 5;      ///< seconds that a child may take to end after its last word
constexpr off_t kErrorBytes = 1000;  ///< of standard error that messages show, at most

/// Descriptors 0 to 2 of a child.
class LineDescriptors {
  public:
    LineDescriptors(int line, int error) {
        ::posix_spawn_file_actions_init(&actions_);
        ::posix_spawn_file_actions_adddup2(&actions_, line, STDIN_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions_, line, STDOUT_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions_, error, STDERR_FILENO);
        ::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    }
    ~LineDescriptors() { ::posix_spawn_file_actions_destroy(&actions_); }
    LineDescriptors(const LineDescriptors&) = delete;
    LineDescriptors& operator=(const LineDescriptors&) = delete;
    const posix_spawn_file_actions_t* get() const { return &actions_; }

  private:
    posix_spawn_file_actions_t actions_;
};

std::string how_it_ended(int status) {
    if (WIFSIGNALED(status)) return fmt::format("killed by signal {}", WTERMSIG(status));
    return fmt::format("exit code {}", WEXITSTATUS(status));
}

/// The last whole lines of a file, at most kErrorBytes.
std::string last_lines(int file) {
    const off_t size = ::lseek(file, 0, SEEK_END);
    const off_t begin = std::max<off_t>(0, size - kErrorBytes);
    std::string text(static_cast<size_t>(size - begin), '\0');
    const auto bytes = ::pread(file, text.data(), text.size(), begin);
    text.resize(static_cast<size_t>(std::max<ssize_t>(0, bytes)));
    if (begin > 0) text.erase(0, text.find('\n') + 1);
    while (text.ends_with('\n')) text.pop_back();
    return text;
}

}  // namespace

LineProcess::LineProcess(std::string subject, std::vector<std::string> command)
    : subject_(std::move(subject)), program_(command.at(0)) {
    std::array<int, 2> ends{-1, -1};
    error_ = ::memfd_create("standard error", MFD_CLOEXEC);
    if (error_ < 0 || ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        const auto reason = std::string(std::strerror(errno));
        if (error_ >= 0) ::close(error_);
        throw Error(subject_, program_, fmt::format("cannot be started: {}", reason));
    }
    line_ = ends[0];
    std::vector<char*> argv;
    for (auto& word : command) argv.push_back(word.data());
    argv.push_back(nullptr);
    const int code =
        ::posix_spawnp(&pid_, argv[0], LineDescriptors(ends[1], error_).get(), nullptr, argv.data(), environ);
    ::close(ends[1]);
    if (code == 0) return;
    ::close(line_);
    ::close(error_);
    throw Error(subject_, program_, fmt::format("cannot be started: {}", std::strerror(code)));
}

LineProcess::~LineProcess() {
    reap(0);
    ::close(line_);
    ::close(error_);
}

std::string LineProcess::read_line() {
    std::array<char, 4096> bytes{};
    size_t end = read_.find('\n');
    while (end == std::string::npos) {
        const auto count = ::recv(line_, bytes.data(), bytes.size(), 0);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) throw_ended();
        const size_t known = read_.size();
        read_.append(bytes.data(), static_cast<size_t>(count));
        end = read_.find('\n', known);
    }
    auto line = read_.substr(0, end);
    read_.erase(0, end + 1);
    return line;
}

std::string LineProcess::ask(const std::string& line) {
    const auto text = fmt::format("{}\n", line);
    for (size_t sent = 0; sent < text.size();) {
        const auto count = ::send(line_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw_ended();
        sent += static_cast<size_t>(count);
    }
    return read_line();
}

void LineProcess::throw_ended() {
    reap(kPatience);
    auto words = last_lines(error_);
    throw Error(subject_, program_, "an answer",
                words.empty() ? how_it_ended(status_) : fmt::format("{}: {}", how_it_ended(status_), words));
}

/// Waits so many seconds for its end, then kills it.
void LineProcess::reap(double patience) {
    using Clock = std::chrono::steady_clock;
    if (reaped_) return;
    const auto until = Clock::now() + std::chrono::duration<double>(patience);
    while (::waitpid(pid_, &status_, WNOHANG) != pid_) {
        if (Clock::now() >= until) {
            ::kill(pid_, SIGKILL);
            while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
            }
            break;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    reaped_ = true;
}

}  // namespace mtlprune
