#include "reproduce/runner/stage_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>

#include "base/error.h"

extern char** environ;

namespace mtlprune {
namespace {

constexpr int kReportDescriptor = 3;
constexpr const char* kThisProgram = "/proc/self/exe";

/// What the child gets: descriptors 0 to 2 and the pipe's writing end as number 3.
class ChildDescriptors {
  public:
    explicit ChildDescriptors(int pipe) {
        ::posix_spawn_file_actions_init(&actions_);
        ::posix_spawn_file_actions_adddup2(&actions_, pipe, kReportDescriptor);
        ::posix_spawn_file_actions_addclosefrom_np(&actions_, kReportDescriptor + 1);
    }
    ~ChildDescriptors() { ::posix_spawn_file_actions_destroy(&actions_); }
    ChildDescriptors(const ChildDescriptors&) = delete;
    ChildDescriptors& operator=(const ChildDescriptors&) = delete;
    const posix_spawn_file_actions_t* get() const { return &actions_; }

  private:
    posix_spawn_file_actions_t actions_;
};

int parse_number(const std::string& text, const std::string& whole) {
    int number = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (code != std::errc() || end != text.data() + text.size())
        throw Error("option", "--runner", "PROCESS:DESCRIPTOR", "'" + whole + "'");
    return number;
}

/// As it goes through the pipe.
struct Message {
    double fraction = 0.0;
    std::array<char, kLongestStatus + 1> status = {};
};

}  // namespace

StageProcess::StageProcess(const std::vector<std::string>& arguments) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0)
        throw Error(fmt::format("cannot make a pipe for a stage: {}", std::strerror(errno)));
    pipe_ = ends[0];
    std::vector<std::string> words = {"mtlprune"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    words.insert(words.end(), {"--runner", fmt::format("{}:{}", ::getpid(), kReportDescriptor)});
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const int code =
        ::posix_spawn(&pid_, kThisProgram, ChildDescriptors(ends[1]).get(), nullptr, argv.data(), environ);
    ::close(ends[1]);
    if (code == 0) return;
    ::close(pipe_);
    throw Error(fmt::format("cannot start a process for a stage: {}", std::strerror(code)));
}

StageProcess::~StageProcess() {
    if (!status_) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    ::close(pipe_);
}

const StageReport& StageProcess::report() {
    std::array<Message, 16> messages{};
    while (true) {
        const auto bytes = ::read(pipe_, messages.data(), sizeof messages);
        if (bytes < static_cast<ssize_t>(sizeof(Message))) return report_;
        const auto& last = messages.at(static_cast<size_t>(bytes) / sizeof(Message) - 1);
        report_ = {last.fraction, last.status.data()};
    }
}

std::optional<int> StageProcess::ended() {
    int status = 0;
    if (!status_ && ::waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
    return status_;
}

std::function<void(double, const std::string&)> report_to_runner(const std::string& runner) {
    const size_t colon = runner.find(':');
    const pid_t process = parse_number(runner.substr(0, colon), runner);
    const int pipe = parse_number(colon == std::string::npos ? "" : runner.substr(colon + 1), runner);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a killed runner leaves no stage behind
    if (::getppid() != process) throw Error(fmt::format("the runner (process {}) has ended", process));
    ::signal(SIGPIPE, SIG_IGN);
    ::fcntl(pipe, F_SETFD, FD_CLOEXEC);
    // Reports are smaller than what a pipe takes at once, so each arrives whole or, when the pipe is full,
    // not.
    return [pipe](double fraction, const std::string& status) {
        Message message{fraction, {}};
        status.copy(message.status.data(), kLongestStatus);
        [[maybe_unused]] const auto n = ::write(pipe, &message, sizeof message);
    };
}

}  // namespace mtlprune
