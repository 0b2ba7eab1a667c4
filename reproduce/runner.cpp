#include "reproduce/runner.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <iostream>
#include <map>
#include <thread>

#include "base/error.h"
#include "reproduce/job_folder.h"
#include "reproduce/progress_display.h"

namespace mtlprune {
namespace {

/// Fractions that children write and the parent reads.
class SharedFractions {
  public:
    explicit SharedFractions(size_t count) : count_(count) {
        void* memory = ::mmap(nullptr, sizeof(std::atomic<double>) * count, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw Error("cannot reserve memory shared with jobs");
        values_ = static_cast<std::atomic<double>*>(memory);
    }
    ~SharedFractions() { ::munmap(values_, sizeof(std::atomic<double>) * count_); }
    SharedFractions(const SharedFractions&) = delete;
    SharedFractions& operator=(const SharedFractions&) = delete;
    std::atomic<double>& operator[](size_t i) { return values_[i]; }
    std::vector<double> snapshot() const { return {values_, values_ + count_}; }

  private:
    size_t count_;
    std::atomic<double>* values_;
};

[[noreturn]] void run_in_child(const Experiment& experiment, const std::vector<Job>& plan, size_t index,
                               const std::filesystem::path& runs, std::atomic<double>& fraction,
                               pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a killed runner leaves no job behind
    if (::getppid() != parent) ::_exit(1);
    int code = 0;
    try {
        run_job(experiment, plan, index, runs, [&](double value) { fraction = value; });
    } catch (const Error& error) {
        std::cerr << fmt::format("\nmtlprune: {} (seed {}): {}\n", plan[index].name, plan[index].seed,
                                 error.what());
        code = 2;
    } catch (const std::exception& error) {
        std::cerr << fmt::format("\nmtlprune: {} (seed {}): internal error: {}\n", plan[index].name,
                                 plan[index].seed, error.what());
        code = 1;
    }
    ::_exit(code);
}

class Scheduler {
  public:
    Scheduler(const Experiment& experiment, const RunnerOptions& options, std::ostream& log)
        : experiment_(experiment),
          options_(options),
          plan_(plan_jobs(experiment)),
          fractions_(plan_.size()),
          state_(plan_.size(), State::waiting),
          display_(costs(), log, ::isatty(STDERR_FILENO) == 1) {
        slots_ = options.jobs > 0 ? options.jobs
                 : experiment.device == "cuda"
                     ? 1
                     : std::max<int64_t>(1, std::thread::hardware_concurrency() / experiment.threads_per_job);
    }

    void run() {
        leave_out_unwanted();
        for (size_t i = 0; i < plan_.size(); ++i)
            if (JobFolder::done(plan_[i].folder(options_.runs))) finish(i);
        const auto skipped = static_cast<size_t>(std::count(state_.begin(), state_.end(), State::done));
        if (skipped > 0 && !options_.quiet && !options_.wanted)
            display_.message(fmt::format("{} of {} jobs were finished before", skipped, plan_.size()));
        while (true) {
            launch_ready();
            if (children_.empty()) break;
            wait_a_moment();
        }
        const auto failed = std::count(state_.begin(), state_.end(), State::failed);
        const auto message = fmt::format(
            "{} of {} jobs failed; see the messages above. The same command resumes.", failed, plan_.size());
        if (internal_error_) throw std::runtime_error(message);
        if (failed > 0) throw Error(message);
    }

  private:
    enum class State { waiting, running, done, failed };

    std::vector<double> costs() const {
        std::vector<double> costs;
        costs.reserve(plan_.size());
        for (const auto& job : plan_) costs.push_back(job.cost);
        return costs;
    }

    void leave_out_unwanted() {
        if (!options_.wanted) return;
        std::vector<bool> wanted(plan_.size());
        for (size_t i = plan_.size(); i-- > 0;) {
            wanted[i] = wanted[i] || options_.wanted(plan_[i]);
            if (!wanted[i]) finish(i);
            for (const size_t need : plan_[i].needs) wanted[need] = wanted[need] || wanted[i];
        }
    }

    void finish(size_t index) {
        state_[index] = State::done;
        fractions_[index] = 1.0;
    }

    /// The constant job reads every frame: it goes first and alone, so that a damaged file is one error.
    bool data_is_read() const { return state_[0] == State::done; }

    bool ready(size_t index) const {
        return state_[index] == State::waiting && (index == 0 || data_is_read()) &&
               std::all_of(plan_[index].needs.begin(), plan_[index].needs.end(),
                           [&](size_t need) { return state_[need] == State::done; });
    }

    void launch_ready() {
        for (size_t i = 0; i < plan_.size() && static_cast<int64_t>(children_.size()) < slots_; ++i) {
            if (!ready(i)) continue;
            const pid_t parent = ::getpid();
            const pid_t child = ::fork();
            if (child < 0) throw Error("cannot start a process for " + plan_[i].name);
            if (child == 0) run_in_child(experiment_, plan_, i, options_.runs, fractions_[i], parent);
            children_[child] = i;
            state_[i] = State::running;
        }
    }

    void wait_a_moment() {
        int status = 0;
        const pid_t child = ::waitpid(-1, &status, WNOHANG);
        if (child <= 0) {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            if (!options_.quiet) display_.update(fractions_.snapshot(), running());
            return;
        }
        const size_t index = children_.at(child);
        children_.erase(child);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
            finish(index);
            return;
        }
        if (WIFSIGNALED(status))
            display_.message(fmt::format("{} (seed {}) was ended by signal {}", plan_[index].name,
                                         plan_[index].seed, WTERMSIG(status)));
        state_[index] = State::failed;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 1) internal_error_ = true;
    }

    std::string running() const {
        std::string names;
        for (const auto& [child, index] : children_)
            names +=
                fmt::format("{}{} seed {}", names.empty() ? "" : ", ", plan_[index].name, plan_[index].seed);
        return names;
    }

    const Experiment& experiment_;
    const RunnerOptions& options_;
    std::vector<Job> plan_;
    SharedFractions fractions_;
    std::vector<State> state_;
    ProgressDisplay display_;
    int64_t slots_ = 1;
    std::map<pid_t, size_t> children_;
    bool internal_error_ = false;
};

}  // namespace

void run_experiment(const Experiment& experiment, const RunnerOptions& options, std::ostream& log) {
    Scheduler(experiment, options, log).run();
}

}  // namespace mtlprune
