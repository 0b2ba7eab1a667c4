#include "bench/compare/child_program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>
#include <thread>

#include "base/error.h"

extern char** environ;

namespace mtlprune::bench {
namespace {

constexpr size_t kTail = 600;  ///< bytes of standard error that are shown

/// A file without a name, which takes a program's output.
class Capture {
  public:
    Capture() : file_(::memfd_create("output", MFD_CLOEXEC)) {
        if (file_ < 0) throw Error(fmt::format("cannot make a file in memory: {}", std::strerror(errno)));
    }
    ~Capture() { ::close(file_); }
    Capture(const Capture&) = delete;
    Capture& operator=(const Capture&) = delete;

    int descriptor() const { return file_; }
    std::string text() const {
        std::string content;
        std::array<char, 1 << 14> block{};
        for (off_t at = 0;;) {
            const ssize_t n = ::pread(file_, block.data(), block.size(), at);
            if (n <= 0) return content;
            content.append(block.data(), static_cast<size_t>(n));
            at += n;
        }
    }

  private:
    int file_;
};

class Child {
  public:
    /// Between fork() and exec() only calls that are safe in a process with threads.
    Child(const char* program, char** words, char** variables, const Capture& out, const Capture& err) {
        const pid_t parent = ::getpid();
        pid_ = ::fork();
        if (pid_ < 0) throw Error(fmt::format("cannot start a process: {}", std::strerror(errno)));
        if (pid_ > 0) return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent || ::dup2(out.descriptor(), 1) < 0 || ::dup2(err.descriptor(), 2) < 0)
            ::_exit(126);
        ::execve(program, words, variables);
        const char* reason = std::strerror(errno);
        [[maybe_unused]] const auto n = ::write(2, reason, std::strlen(reason));
        ::_exit(127);
    }
    ~Child() {
        if (status_) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    /// waitpid()'s status; nothing when the time is up.
    std::optional<int> wait(double seconds) {
        using Clock = std::chrono::steady_clock;
        const auto end = Clock::now() + std::chrono::duration<double>(seconds);
        while (Clock::now() < end) {
            int status = 0;
            if (::waitpid(pid_, &status, WNOHANG) == pid_) return status_ = status;
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        return {};
    }

  private:
    pid_t pid_ = -1;
    std::optional<int> status_;
};

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (auto& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
}

/// `own` replaces variables of the same name.
std::vector<std::string> joined_environment(const Variables& own) {
    std::vector<std::string> all;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        const std::string text = *variable;
        bool replaced = false;
        for (const auto& [name, value] : own) replaced |= text.starts_with(fmt::format("{}=", name));
        if (!replaced) all.push_back(text);
    }
    for (const auto& [name, value] : own) all.push_back(fmt::format("{}={}", name, value));
    return all;
}

std::string ending_text(std::optional<int> status, double limit) {
    if (!status) return fmt::format("still running after {:g} s, killed", limit);
    if (WIFSIGNALED(*status))
        return fmt::format("ended by signal {} ({})", WTERMSIG(*status), ::strsignal(WTERMSIG(*status)));
    return fmt::format("exit code {}", WEXITSTATUS(*status));
}

std::string tail_of(const std::string& text) {
    const size_t last = text.find_last_not_of(" \n");
    if (last == std::string::npos) return "nothing on standard error";
    const size_t first = last + 1 > kTail ? last + 1 - kTail : 0;
    return fmt::format("its standard error ends in: {}", text.substr(first, last + 1 - first));
}

}  // namespace

std::string run_to_end(const ProgramCall& call) {
    std::vector<std::string> words = {call.program.string()};
    words.insert(words.end(), call.words.begin(), call.words.end());
    auto variables = joined_environment(call.environment);
    const auto argv = pointers_to(words), envp = pointers_to(variables);
    const Capture out, err;
    Child child(words[0].c_str(), const_cast<char**>(argv.data()), const_cast<char**>(envp.data()), out, err);
    const auto status = child.wait(call.limit_seconds);
    if (!status || !WIFEXITED(*status) || WEXITSTATUS(*status) != 0)
        throw Error("benchmark program", call.program.string(),
                    fmt::format("{}; {}", ending_text(status, call.limit_seconds), tail_of(err.text())));
    return out.text();
}

}  // namespace mtlprune::bench
