// A stage of an experiment at a seed: train a network, prune it iteratively, re-train a pruned architecture.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "reproduce/stages/experiment.h"
#include "reproduce/stages/identity.h"
#include "training/data_parallel/process_layout.h"

namespace mtlprune {

struct Stage : StageRecipe {
    uint64_t seed = 0;
    nlohmann::json identity;    ///< everything that determines the result, the seed apart
    std::vector<size_t> needs;  ///< stages whose results this one reads, as indices into the plan
    bool repeats = false;       ///< it is the stage it needs, under another name, and takes over its result
    double cost = 0.0;          ///< relative compute time, for the ETA

    /// Of the identity: 16 hex digits.
    std::string hash() const { return config_hash(identity); }
    /// runs/<name>_<hash>/seed_<k>
    std::filesystem::path folder(const std::filesystem::path& runs) const;
};

/// All stages of an experiment with all seeds; a stage's needs precede it. Reads the data set's files (once;
/// see data_fingerprint), since they are part of the identities.
std::vector<Stage> plan_stages(const Experiment& experiment, const Behaviour& behaviour = Behaviour());

/// The stage of that name and seed as an index into the plan. Throws Error that names the nearest.
size_t find_stage(const std::vector<Stage>& plan, const std::string& name, uint64_t seed);

/// The graph for workflow engines: per stage name, kind, seed, needs, hash, folder, whether it is done, and
/// cost (relative time).
nlohmann::json plan_to_json(const std::vector<Stage>& plan, const std::filesystem::path& runs);

/// "cpu" or "cuda", of several GPUs number `index`; throws Error when the latter cannot be used here. A
/// process that sees one GPU takes it.
torch::Device open_device(const std::string& name, int64_t index = 0);

/// Told the finished fraction 0..1 of the stage, and how it goes (losses, speed), for people.
using StageProgress = std::function<void(double, const std::string&)>;

/// Runs (or resumes) one stage to the end. Several processes (`layout`) train together: each takes its part
/// of every mini-batch, the first evaluates and writes all files, `progress` included. Throws Error on bad
/// input or environment, and when a stage that it needs is not done.
void run_stage(const Experiment& experiment, const std::vector<Stage>& plan, size_t index,
               const std::filesystem::path& runs, const StageProgress& progress,
               const ProcessLayout& layout = {});

}  // namespace mtlprune
