#include "reproduce/runner/runner.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <map>
#include <memory>
#include <thread>

#include "base/error.h"
#include "base/progress.h"
#include "reproduce/runner/stage_process.h"
#include "reproduce/stages/stage_folder.h"
#include "training/data_parallel/process_layout.h"

namespace mtlprune {
namespace {

constexpr auto kLook = std::chrono::milliseconds(20);

std::string title(const Stage& stage) {
    return fmt::format("{} seed {}", stage.name, stage.seed);
}

class Scheduler {
  public:
    Scheduler(const Experiment& experiment, const RunnerOptions& options)
        : options_(options),
          plan_(plan_stages(experiment)),
          fractions_(plan_.size(), 0.0),
          state_(plan_.size(), State::waiting),
          statuses_(plan_.size()),
          progress_(costs()) {
        slots_ =
            options.jobs > 0 ? options.jobs
            : experiment.device == "cuda"
                ? 1
                : std::max<int64_t>(1, std::thread::hardware_concurrency() / experiment.threads_per_stage);
    }

    std::vector<StageStatus> run() {
        leave_out_unwanted();
        for (size_t i = 0; i < plan_.size(); ++i)
            if (StageFolder::done(plan_[i].folder(options_.runs))) finish(i);
        const auto skipped = static_cast<size_t>(std::count(state_.begin(), state_.end(), State::done));
        if (skipped > 0 && !options_.wanted)
            progress_.message(fmt::format("{} of {} stages were finished before", skipped, plan_.size()));
        while (true) {
            launch_ready();
            if (running_.empty()) break;
            look();
        }
        for (size_t i = 0; i < plan_.size(); ++i)
            if (state_[i] == State::waiting) statuses_[i] = {StageStatus::Kind::skipped, reason_to_skip(i)};
        return statuses_;
    }

  private:
    enum class State { waiting, running, done, failed };

    std::vector<double> costs() const {
        std::vector<double> costs;
        costs.reserve(plan_.size());
        for (const auto& stage : plan_) costs.push_back(stage.cost);
        return costs;
    }

    void leave_out_unwanted() {
        if (!options_.wanted) return;
        std::vector<bool> wanted(plan_.size());
        for (size_t i = plan_.size(); i-- > 0;) {
            wanted[i] = wanted[i] || options_.wanted(plan_[i]);
            if (!wanted[i]) {
                finish(i);
                statuses_[i] = {StageStatus::Kind::skipped, "not asked for"};
            }
            for (const size_t need : plan_[i].needs) wanted[need] = wanted[need] || wanted[i];
        }
    }

    void finish(size_t index) {
        state_[index] = State::done;
        fractions_[index] = 1.0;
    }

    /// A constant stage reads every frame: it goes first and alone, so that a damaged file is one error.
    bool data_is_read() const { return plan_[0].kind != StageKind::constant || state_[0] == State::done; }

    bool ready(size_t index) const {
        return state_[index] == State::waiting && (index == 0 || data_is_read()) &&
               std::all_of(plan_[index].needs.begin(), plan_[index].needs.end(),
                           [&](size_t need) { return state_[need] == State::done; });
    }

    std::string reason_to_skip(size_t index) const {
        for (const size_t need : plan_[index].needs)
            if (state_[need] != State::done) return fmt::format("{} is missing", title(plan_[need]));
        return fmt::format("{} is missing", title(plan_[0]));
    }

    void launch_ready() {
        for (size_t i = 0; i < plan_.size() && static_cast<int64_t>(running_.size()) < slots_; ++i) {
            if (!ready(i)) continue;
            std::vector<std::string> words = {"run-stage"};
            words.insert(words.end(), options_.arguments.begin(), options_.arguments.end());
            words.insert(words.end(), {"--stage", plan_[i].name, "--seed", std::to_string(plan_[i].seed),
                                       "--hash", plan_[i].hash()});
            running_[i] = std::make_unique<StageProcess>(words);
            state_[i] = State::running;
        }
    }

    void look() {
        std::this_thread::sleep_for(kLook);
        std::string names;
        for (auto child = running_.begin(); child != running_.end();) {
            const auto [index, process] = std::pair(child->first, child->second.get());
            const auto& report = process->report();
            fractions_[index] = std::max(fractions_[index], report.fraction);
            names += (names.empty() ? "running: " : ", ") + title(plan_[index]) +
                     (report.status.empty() ? "" : fmt::format(" ({})", report.status));
            const auto status = process->ended();
            if (status) settle(index, *status);
            child = status ? running_.erase(child) : std::next(child);
        }
        progress_.update(fractions_, names);
    }

    void settle(size_t index, int status) {
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return finish(index);
        state_[index] = State::failed;
        statuses_[index] = {StageStatus::Kind::failed, fmt::format("exit code {}", WEXITSTATUS(status)),
                            WIFEXITED(status) && WEXITSTATUS(status) == 1};
        if (!WIFSIGNALED(status)) return;
        statuses_[index].reason = fmt::format("ended by signal {}", WTERMSIG(status));
        progress_.message(fmt::format("{}: {}", title(plan_[index]), statuses_[index].reason));
    }

    const RunnerOptions& options_;
    std::vector<Stage> plan_;
    std::vector<double> fractions_;
    std::vector<State> state_;
    std::vector<StageStatus> statuses_;
    Progress progress_;
    int64_t slots_ = 1;
    std::map<size_t, std::unique_ptr<StageProcess>> running_;
};

}  // namespace

std::string StageStatus::word() const {
    return kind == Kind::passed ? "PASSED" : kind == Kind::failed ? "FAILED" : "SKIPPED";
}

std::vector<StageStatus> run_experiment(const Experiment& experiment, const RunnerOptions& options) {
    require_alone(process_layout(), "the stages of an experiment");
    return Scheduler(experiment, options).run();
}

void require_passed(const std::vector<StageStatus>& statuses) {
    const auto failed = std::count_if(statuses.begin(), statuses.end(), [](const StageStatus& status) {
        return status.kind == StageStatus::Kind::failed;
    });
    if (failed == 0) return;
    const auto message = fmt::format(
        "{} of {} stages failed; see the messages above. The same command resumes.", failed, statuses.size());
    const bool internal = std::any_of(statuses.begin(), statuses.end(),
                                      [](const StageStatus& status) { return status.internal_error; });
    if (internal) throw std::runtime_error(message);
    throw Error(message);
}

}  // namespace mtlprune
