// How stages run. Called by run_stage; each resumes from the folder's checkpoint and is bitwise repeatable.
#pragma once

#include "base/table.h"
#include "reproduce/stages/stage.h"
#include "reproduce/stages/stage_folder.h"
#include "training/data_parallel/data_parallel.h"
#include "training/evaluate.h"

namespace mtlprune {

/// What a stage works with.
struct StageContext {
    const Experiment& experiment;
    const Stage& stage;
    std::vector<TaskSpec> tasks;
    std::vector<std::filesystem::path> needs;  ///< folders of the stages this one reads
    StageFolder& folder;
    torch::Device device;
    const StageProgress& progress;
    std::shared_ptr<DataParallel> parallel = nullptr;  ///< null: one process
    std::string status = {};                           ///< told with the progress

    /// This process evaluates and writes.
    bool first() const { return !parallel || parallel->first(); }
    int64_t ranks() const { return parallel ? parallel->ranks() : 1; }

    /// The key of this stage's rows.
    TableRow row(int64_t event = 0, int64_t step = 0) const {
        return {stage.name, stage.strategy, stage.seed, event, step, "", "", "", ""};
    }
};

/// Metrics of the two predictions that ignore the image, the best constant and the best by position: rows of
/// the strategies kConstantPredictor and kPositionPredictor. The first process's alone.
void run_constant_stage(StageContext& context);
/// A stage that trains a network: the experiment's from initialisation, one that is pruned meanwhile, or a
/// pruned architecture again.
void run_network_stage(StageContext& context);

}  // namespace mtlprune
