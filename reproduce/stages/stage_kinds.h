// The four kinds of stages. Called by run_stage; each resumes from the folder's checkpoint and is bitwise
// repeatable.
#pragma once

#include "base/table.h"
#include "pruning/surgery/plan.h"
#include "reproduce/stages/stage.h"
#include "reproduce/stages/stage_folder.h"
#include "training/evaluate.h"

namespace mtlprune {

/// What a stage works with.
struct StageContext {
    const Experiment& experiment;
    const Stage& stage;
    std::vector<std::filesystem::path> needs;  ///< folders of the stages this one reads
    StageFolder& folder;
    torch::Device device;
    const StageProgress& progress;

    /// The key of this stage's rows.
    TableRow row(int64_t event = 0, int64_t step = 0) const {
        return {stage.name, stage.strategy, stage.seed, event, step, "", "", "", ""};
    }
};

/// Metrics of the best constant prediction.
void run_constant_stage(StageContext& context);
/// Trains experiment.model (or, for a retrain stage, the pruned architecture) from initialisation.
void run_training_stage(StageContext& context);
/// Iterative pruning of the dense stage's network.
void run_prune_stage(StageContext& context);

/// Saves when more than the checkpoint interval (30 s; environment MTLPRUNE_CHECKPOINT_SECONDS) has passed.
bool checkpoint_due(const StageFolder& folder);

/// What checkpoints hold of a network: the plan that leads from the experiment's network to it, and
/// parameters.
TensorMap model_state(const MultiTaskModel& model, const std::vector<Plan>& steps);
/// Builds the network of a checkpoint by replaying its plan, with its weights.
MultiTaskModel load_model(const ModelConfig& base, const TensorMap& state);

}  // namespace mtlprune
