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

/// Returns when every stage is done. Each is a child process `mtlprune run-stage`, so a crash or kill of one
/// loses at most the work since its last checkpoint, and this process neither computes nor asks for a GPU.
/// Progress goes to standard error. Throws Error when a stage failed (another exception when that was a bug
/// of ours); stages that did not depend on it have then finished.
void run_experiment(const Experiment& experiment, const RunnerOptions& options);

/// Writes the tables that figures, claims and the report read (iterative.csv, retrained.csv, cosine.csv,
/// widths.csv, constant_predictor.csv, dense.csv, run.json) into `results`. All stages must be done.
void collect_results(const Experiment& experiment, const std::filesystem::path& runs,
                     const std::filesystem::path& results, const nlohmann::json& run_facts);

}  // namespace mtlprune
