// Runs the built mtlprune as its users do, for tests.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/atomic_file.h"
#include "tests/temporary_folder.h"

extern char** environ;

namespace mtlprune {

using Words = std::vector<std::string>;

inline Words operator+(Words a, const Words& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

struct Outcome {
    int code = -1;  ///< exit code; -1 when a signal ended the program
    int signal = 0;
    std::string out;  ///< standard output
    std::string err;  ///< standard error
    std::string text() const { return out + err; }
};

/// No figures: python3 cannot start.
inline const Words kNoPython = {"PYTHONHOME=/nonexistent"};

/// One run of the program in a process group of its own, in `folder`. Its output goes to files there.
class Program {
  public:
    /// `environment`: "NAME=VALUE" beyond the test's own; `program`: another one than mtlprune.
    Program(const Words& arguments, const std::filesystem::path& folder, const Words& environment = {},
            const std::string& program = MTLPRUNE_PROGRAM)
        : out_(folder / ".stdout"), err_(folder / ".stderr") {
        const Words words = Words{program} + arguments;
        Words variables = environment;
        variables.push_back("MTLPRUNE_CACHE=" + (folder / ".cache").string());
        for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
        const auto argv = pointers(words), envp = pointers(variables);
        pid_ = ::fork();
        if (pid_ < 0) throw std::runtime_error("cannot fork");
        if (pid_ > 0) return;
        ::setpgid(0, 0);
        const int out = ::open(out_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        const int err = ::open(err_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (::dup2(out, 1) < 0 || ::dup2(err, 2) < 0 || ::chdir(folder.c_str()) != 0) ::_exit(126);
        ::execve(argv[0], argv.data(), envp.data());
        ::_exit(127);
    }
    ~Program() {
        if (ended_) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, &status_, 0);
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    pid_t pid() const { return pid_; }

    bool running() {
        if (!ended_) ended_ = ::waitpid(pid_, &status_, WNOHANG) == pid_;
        return !ended_;
    }

    /// Process ids of the jobs under way.
    std::vector<pid_t> children() const {
        std::ifstream file("/proc/" + std::to_string(pid_) + "/task/" + std::to_string(pid_) + "/children");
        std::vector<pid_t> children;
        for (pid_t child; file >> child;) children.push_back(child);
        return children;
    }

    Outcome wait() {
        if (!ended_) ended_ = ::waitpid(pid_, &status_, 0) == pid_;
        Outcome outcome;
        if (WIFEXITED(status_)) outcome.code = WEXITSTATUS(status_);
        if (WIFSIGNALED(status_)) outcome.signal = WTERMSIG(status_);
        outcome.out = read_file(out_);
        outcome.err = read_file(err_);
        return outcome;
    }

  private:
    static std::vector<char*> pointers(const Words& words) {
        std::vector<char*> result;
        for (const auto& word : words) result.push_back(const_cast<char*>(word.c_str()));
        result.push_back(nullptr);
        return result;
    }

    pid_t pid_ = -1;
    int status_ = 0;
    bool ended_ = false;
    std::filesystem::path out_, err_;
};

inline Outcome run_program(const Words& arguments, const std::filesystem::path& folder,
                           const Words& environment = {}) {
    return Program(arguments, folder, environment).wait();
}

/// True when no process with this id is alive (a zombie is not).
inline bool is_gone(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string number, name, state;
    return !(file >> number >> name >> state) || state == "Z" || state == "X";
}

/// Relative path -> bytes of all files below a folder.
inline std::map<std::string, std::string> files_below(const std::filesystem::path& folder) {
    std::map<std::string, std::string> files;
    if (!std::filesystem::exists(folder)) return files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
        if (entry.is_regular_file())
            files[std::filesystem::relative(entry.path(), folder).string()] = read_file(entry.path());
    return files;
}

/// Options of an experiment with every kind of job that takes a few seconds; dropout, a schedule and
/// selection of the best evaluation included.
inline Words tiny_experiment() {
    Words words = {"--scale", "smoke", "--seeds", "0"};
    for (const char* key :
         {"data.train=12",
          "data.test=4",
          "data.render_height=32",
          "data.render_width=40",
          "data.height=24",
          "data.width=24",
          "model=vgg16:channels=[6,6,8,8],pools=1/smallaspp:hidden=4,dropout=0.3",
          "dense.iterations=12",
          "dense.batch_size=4",
          "dense.evaluate_every=3",
          "dense.selection=best_loss",
          "prune.batch_size=4",
          "prune.schedule.frequency=4",
          "prune.evaluate_every=2",
          "prune.allocation.budget={\"count\":3}",
          "prune.selection=best_loss",
          "retrain.iterations=6",
          "retrain.batch_size=4",
          "retrain.evaluate_every=2",
          "retrain.selection=best_pixel_accuracy",
          "retrain.targets=[{\"parameters_fraction\":1.0},{\"parameters_fraction\":0.8}]"}) {
        words.emplace_back("--set");
        words.emplace_back(key);
    }
    return words;
}

}  // namespace mtlprune
