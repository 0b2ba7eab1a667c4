// Runs all stages of an experiment: in parallel as far as cores and needs allow, skipping finished stages,
// resuming partial ones.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "reproduce/stages/stage.h"

namespace mtlprune {

struct RunnerOptions {
    std::filesystem::path runs = "runs";
    /// Words after "run-stage" that describe the experiment and `runs` to a child.
    std::vector<std::string> arguments;
    int64_t jobs = 0;  ///< stages at a time; 0 = cores / threads per stage (1 on a GPU)
    std::function<bool(const Stage&)> wanted;  ///< run only these stages and what they need; empty = all
};

struct StageStatus {
    enum class Kind { passed, failed, skipped } kind = Kind::passed;
    std::string reason;           ///< of a stage that did not pass
    bool internal_error = false;  ///< it failed by a bug of ours

    bool passed() const { return kind == Kind::passed; }
    /// PASSED, FAILED or SKIPPED.
    std::string word() const;
};

/// Returns when no stage is left that could run, with the status of each in the plan's order (skipped: a
/// stage it needs failed, or it is not wanted). Each is a child process `mtlprune run-stage`, so a crash or
/// kill of one loses at most the work since its last checkpoint, and this process neither computes nor asks
/// for a GPU. Progress goes to standard error. Throws Error when no process can be started, and in one of
/// several processes that torchrun or Slurm started.
std::vector<StageStatus> run_experiment(const Experiment& experiment, const RunnerOptions& options);

/// Throws Error when a stage failed (another exception when that was a bug of ours).
void require_passed(const std::vector<StageStatus>& statuses);

}  // namespace mtlprune
