// The architectures that an iterative pruning run went through (its plan.json).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pruning/surgery/plan.h"
#include "reproduce/stages/experiment.h"

namespace mtlprune {

struct PrunedArchitecture {
    int64_t event;            ///< 0 = dense
    std::vector<Plan> steps;  ///< from the experiment's network to this one
    int64_t parameters;
};

/// All of them, dense first. Throws Error when plan.json is missing or malformed.
std::vector<PrunedArchitecture> pruned_architectures(const std::filesystem::path& prune_folder);

/// The chosen one: the explicit event, else the nearest in parameters.
PrunedArchitecture pruned_architecture(const std::filesystem::path& prune_folder,
                                       const ArchitectureChoice& choice);

}  // namespace mtlprune
