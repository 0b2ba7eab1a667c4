// What a retrain stage begins with, and how long it takes.
#pragma once

#include "base/json_reader.h"
#include "reproduce/stages/pruned_architecture.h"
#include "reproduce/stages/stage_network.h"
#include "training/callback.h"

namespace mtlprune {

/// "start", "length", "max_iterations", "distillation": all of it but the architecture.
Retraining read_retraining_arm(JsonReader& reader);

/// Of the network after event `event` of a prune stage that keeps its networks.
std::string network_file(int64_t event);

/// The recipe of a stage of length `macs`: iterations and learning-rate schedule of `model`, which is on the
/// stage's device, that cost what the recipe's would with the dense network.
TrainRecipe stretched_recipe(const StageContext& context, const ModelPtr& model);

/// Teaches the network that `steps` led to what its maps were before it was pruned.
std::shared_ptr<Callback> distillation_of(const StageContext& context, const std::vector<Plan>& steps);

/// The chosen architecture with the weights that re-training begins with. Throws Error when the prune stage
/// kept none of that event.
PrunedNetwork network_to_retrain(const StageContext& context, const PrunedArchitecture& architecture);

}  // namespace mtlprune
