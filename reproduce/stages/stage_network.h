// Networks of stages, as they are stored and built again.
#pragma once

#include "pruning/network/prune.h"
#include "pruning/surgery/plan.h"
#include "reproduce/stages/stage_kinds.h"

namespace mtlprune {

/// A network, and the steps that led to it from the experiment's.
struct PrunedNetwork {
    ModelPtr model;
    std::vector<Plan> steps;
};

/// What checkpoints hold of a network: the plan that leads from the experiment's network to it, parameters
/// and buffers.
TensorMap network_state(const Model& model, const std::vector<Plan>& steps);
/// Builds the network of a checkpoint by replaying its plan, with its weights.
PrunedNetwork load_network(const ModelSpec& spec, const std::vector<TaskSpec>& tasks, const TensorMap& state);

/// The dense network as its training begins: drawn from `seed`, then the experiment's weights. What their
/// file lacks (heads, of a backbone's) stays as drawn.
ModelPtr first_network(const StageContext& context, uint64_t seed);

/// Zeros of the size that the experiment's networks see, [1,3,H,W].
torch::Tensor example_image(const StageContext& context);
/// The coupled channels of a network on the stage's device.
Coupling couple_network(const StageContext& context, const ModelPtr& model);

}  // namespace mtlprune
