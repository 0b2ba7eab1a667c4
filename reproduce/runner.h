// Runs all jobs of an experiment: in parallel as far as cores and needs allow, skipping finished jobs,
// resuming partial ones.
#pragma once

#include <filesystem>
#include <functional>
#include <ostream>

#include "reproduce/job.h"

namespace mtlprune {

struct RunnerOptions {
    std::filesystem::path runs = "runs";
    int64_t jobs = 0;                        ///< jobs at a time; 0 = cores / threads per job (1 on a GPU)
    bool quiet = false;                      ///< no progress output
    std::function<bool(const Job&)> wanted;  ///< run only these jobs and what they need; empty = all
};

/// Returns when every job is done. Each job is a child process, so a crash or kill of one loses at most the
/// work since its last checkpoint. Throws Error when a job failed (another exception when that was a bug of
/// ours); jobs that did not depend on it have then finished.
void run_experiment(const Experiment& experiment, const RunnerOptions& options, std::ostream& log);

/// Writes the tables that figures, claims and the report read (iterative.csv, retrained.csv, cosine.csv,
/// widths.csv, constant_predictor.csv, dense.csv, run.json) into `results`. All jobs must be done.
void collect_results(const Experiment& experiment, const std::filesystem::path& runs,
                     const std::filesystem::path& results, const nlohmann::json& run_facts);

}  // namespace mtlprune
