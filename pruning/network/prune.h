// A network of any kind pruned: coupled, scored, cut to a budget at once or in steps, checked.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "pruning/network/network.h"
#include "pruning/network/pruner.h"

namespace mtlprune {

struct PruneOptions {
    CouplingOptions coupling;
    AllocationOptions allocation;
    /// Events on the way; scores are taken again before each.
    int64_t steps = 1;
    EditKind edit = EditKind::remove;
    /// Compare the pruned network with the original whose removed slices are zero.
    bool verify = true;
};

struct PruneReport {
    std::vector<Plan> steps;
    Cost before, after;    ///< masks save nothing: equal then
    size_t groups = 0;     ///< that may shrink
    int64_t channels = 0;  ///< of these groups, before
    int64_t removed_channels = 0;
    std::vector<FrozenDimension> frozen;
    std::vector<std::string> notes;
    /// Of the inputs, at which the pruned network computes what it should too.
    SizeChanges other_sizes;
    double error = 0;  ///< largest relative difference of the outputs; 0 when not verified
    struct Seconds {
        double trace = 0, coupling = 0, scoring = 0, surgery = 0, verification = 0;
    } seconds;
};

/// Prunes in place. `batches` are what criteria that need data observe before every event: closures that
/// give losses where gradients are enough. Throws Error
/// when the criterion needs data and there is none, when the budget cannot be met or when the check fails
/// (naming the first operator that differs): a C++ module has then been restored to what the last step left,
/// a TorchScript module must not be used.
PruneReport prune(Network& network, std::unique_ptr<Criterion> criterion, const PruneOptions& options = {},
                  const std::vector<Passes>& batches = {});

}  // namespace mtlprune
