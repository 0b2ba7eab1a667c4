// A stage in a process of its own.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace mtlprune {

/// What a stage says of itself while it runs.
struct StageReport {
    double fraction = 0.0;  ///< that is done
    std::string status;     ///< for people, at most kLongestStatus bytes: losses, speed
};
inline constexpr size_t kLongestStatus = 119;

/// This program started once more (a fresh image, never a copy of this process, whose LibTorch and CUDA state
/// would be unusable there). The child inherits descriptors 0 to 2 and a pipe to report on, nothing else.
class StageProcess {
  public:
    /// Starts `<this program> arguments... --runner <process>:<descriptor>`; the child passes the last word
    /// to report_to_runner(). Throws Error when no process can be started.
    explicit StageProcess(const std::vector<std::string>& arguments);
    /// Kills and reaps the child if it still runs.
    ~StageProcess();
    StageProcess(const StageProcess&) = delete;
    StageProcess& operator=(const StageProcess&) = delete;

    pid_t pid() const { return pid_; }
    /// The last that the child has reported.
    const StageReport& report();
    /// The status of waitpid() once the child has ended; nothing while it runs.
    std::optional<int> ended();

  private:
    pid_t pid_ = -1;
    int pipe_ = -1;
    StageReport report_;
    std::optional<int> status_;
};

/// The child's side. `runner` is "<process>:<descriptor>" of a StageProcess. From now on this process is
/// killed when the runner ends. The result reports to it and never waits. Throws Error on
/// another form, and when the runner has ended already.
std::function<void(double, const std::string&)> report_to_runner(const std::string& runner);

}  // namespace mtlprune
