// Networks to be timed beside each other: one, and what pruning makes of it.
#pragma once

#include <string>
#include <vector>

#include "models/model_spec.h"
#include "pruning/cost/cost.h"
#include "pruning/surgery/plan.h"

namespace mtlprune {

struct NetworkVariant {
    std::string name;         ///< as it was asked for
    std::vector<Plan> steps;  ///< from the network of the spec to it
    Cost cost;                ///< for the image that it was made for
};

/// What a name of make_variant may be.
std::string variant_forms();

/// Of the network `spec` with weights drawn from `seed`:
///   dense
///   widths=19-60-113-...            the shared layers keep so many channels, in the order of the forward
///   pass published-12, -18, -20          the widths in the main paper's released code after so many events
///   l2@macs=0.5, fpgm@channels=0.5  a criterion without data; parameters, too; every group, ranked by itself
///   plan=FILE                       a plan.json
/// Behind the first four ":round_to=8" rounds what layers keep to multiples, up. Throws Error on another
/// form, and for what the network is not made for.
NetworkVariant make_variant(const std::string& text, const ModelSpec& spec,
                            const std::vector<TaskSpec>& tasks, const torch::Tensor& image,
                            uint64_t seed = 1);

/// The network of a variant, in eval mode, with weights drawn from `seed` (and then pruned).
ModelPtr build_variant(const NetworkVariant& variant, const ModelSpec& spec,
                       const std::vector<TaskSpec>& tasks, uint64_t seed = 1);

/// A model of which some predictions are computed alone; its parameters are those of `model`. Throws Error on
/// a task that it does not have.
ModelPtr task_subset(const ModelPtr& model, const std::vector<std::string>& tasks);

}  // namespace mtlprune
