// One unit of work of an experiment: train a dense network, prune it iteratively, or re-train a pruned
// architecture.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "reproduce/results/figure_stages.h"
#include "reproduce/stages/experiment.h"

namespace mtlprune {

enum class StageKind { constant, train, prune, retrain };

struct Stage {
    StageKind kind;
    std::string name;  ///< folder prefix: "dense", "prune-taylor", "retrain-taylor-2"
    uint64_t seed;
    std::string criterion;      ///< prune, retrain
    size_t target = 0;          ///< retrain: index into the recipe's targets
    nlohmann::json config;      ///< everything that determines the result; hashed
    std::vector<size_t> needs;  ///< stages whose results this one reads, as indices into the plan
    double cost = 0.0;          ///< relative compute time, for the ETA

    /// The criterion, or the stage's own name where there is none.
    std::string strategy() const { return criterion.empty() ? name : criterion; }
    /// What identifies the result, the seed apart: 16 hex digits.
    std::string hash() const;
    /// runs/<name>_<hash>/seed_<k>
    std::filesystem::path folder(const std::filesystem::path& runs) const;
};

/// "constant", "train", "prune", "retrain".
std::string kind_name(StageKind kind);

/// All stages of an experiment; a stage's needs precede it.
std::vector<Stage> plan_stages(const Experiment& experiment);

/// Which of them the figures and claims are about.
FigureStages figure_stages(const Experiment& experiment);

/// The stage of that name and seed as an index into the plan. Throws Error that names the nearest.
size_t find_stage(const std::vector<Stage>& plan, const std::string& name, uint64_t seed);

/// The graph for workflow engines: per stage name, kind, seed, needs, hash, folder, whether it is done, and
/// cost (relative time).
nlohmann::json plan_to_json(const std::vector<Stage>& plan, const std::filesystem::path& runs);

/// "cpu" or "cuda"; throws Error when the latter cannot be used here.
torch::Device open_device(const std::string& name);

/// Told the finished fraction 0..1 of the stage.
using StageProgress = std::function<void(double)>;

/// Runs (or resumes) one stage to the end. Throws Error on bad input or environment, and when a stage that it
/// needs is not done.
void run_stage(const Experiment& experiment, const std::vector<Stage>& plan, size_t index,
               const std::filesystem::path& runs, const StageProgress& progress);

}  // namespace mtlprune
