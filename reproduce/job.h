// One unit of work of an experiment: train a dense network, prune it iteratively, or re-train a pruned
// architecture.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "reproduce/experiment.h"

namespace mtlprune {

enum class JobKind { constant, dense, prune, retrain };

struct Job {
    JobKind kind;
    std::string name;  ///< folder prefix: "dense", "prune-taylor", "retrain-taylor-2"
    uint64_t seed;
    std::string criterion;      ///< prune, retrain
    size_t target = 0;          ///< retrain: index into the recipe's targets
    nlohmann::json config;      ///< everything that determines the result; hashed
    std::vector<size_t> needs;  ///< jobs whose results this one reads, as indices into the plan
    double cost = 0.0;          ///< relative compute time, for the ETA

    std::filesystem::path folder(const std::filesystem::path& runs) const;
};

/// All jobs of an experiment; a job's needs precede it.
std::vector<Job> plan_jobs(const Experiment& experiment);

/// "cpu" or "cuda"; throws Error when the latter cannot be used here.
torch::Device open_device(const std::string& name);

/// Told the finished fraction 0..1 of the job.
using JobProgress = std::function<void(double)>;

/// Runs (or resumes) one job to the end. Throws Error on bad input or environment.
void run_job(const Experiment& experiment, const std::vector<Job>& plan, size_t index,
             const std::filesystem::path& runs, const JobProgress& progress);

}  // namespace mtlprune
