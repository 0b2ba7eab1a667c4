// A network of any kind pruned once, without data: coupled, scored by its weights, cut to a budget, checked.
#pragma once

#include <torch/nn/module.h>

#include <string>
#include <vector>

#include "pruning/allocation/allocation.h"
#include "pruning/coupling/groups.h"
#include "pruning/criteria/weight_scores.h"
#include "pruning/surgery/plan.h"

namespace mtlprune {

struct OneShotOptions {
    CouplingOptions coupling;
    WeightScoreOptions score;
    AllocationOptions allocation;
    /// Compare the pruned network with the original whose removed slices are zero.
    bool verify = true;
};

struct OneShotReport {
    Plan plan;
    Cost before, after;
    size_t groups = 0;     ///< that may shrink
    int64_t channels = 0;  ///< of these groups, before
    int64_t removed_channels = 0;
    std::vector<FrozenDimension> frozen;
    std::vector<std::string> notes;
    double error = 0;  ///< largest relative difference of the outputs; 0 when not verified
    struct Seconds {
        double trace = 0, coupling = 0, scoring = 0, surgery = 0, verification = 0;
    } seconds;
};

/// Prunes a TorchScript network: its tensors in place (copies made with deepcopy() are not touched; other
/// handles of the same module share the tensors but not the new code, and are of no use any more). Inputs
/// need the right shapes and types; their contents matter to the check alone. Throws Error when the budget
/// cannot be met or the check fails (naming the first operator that differs); the module must not be used
/// then.
OneShotReport prune_once(torch::jit::Module& module, const std::vector<torch::Tensor>& inputs,
                         const OneShotOptions& options = {});

/// The same for a C++ module, whose `forward` is run and traced. A module that fails the check (sizes written
/// into its code) is restored before the Error is thrown.
OneShotReport prune_once(torch::nn::Module& module, const TracedFunction& forward,
                         const std::vector<torch::Tensor>& inputs, const OneShotOptions& options = {});

}  // namespace mtlprune
