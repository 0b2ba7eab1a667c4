// The four kinds of jobs. Called by run_job; each resumes from the folder's checkpoint and is bitwise
// repeatable.
#pragma once

#include "reproduce/job.h"
#include "reproduce/job_folder.h"
#include "training/evaluate.h"

namespace mtlprune {

/// What a job works with.
struct JobContext {
    const Experiment& experiment;
    const Job& job;
    std::vector<std::filesystem::path> needs;  ///< folders of the jobs this one reads
    JobFolder& folder;
    torch::Device device;
    const JobProgress& progress;
};

/// Best constant prediction: constant.json.
void run_constant_job(JobContext& context);
/// Trains experiment.model (or, for a retrain job, the pruned architecture) from initialisation.
void run_training_job(JobContext& context);
/// Iterative pruning of the dense job's network.
void run_prune_job(JobContext& context);

/// The columns of metrics.csv after the job's own: losses per task, then metrics.
std::string evaluation_header(const std::vector<TaskSpec>& tasks);
/// The matching values, shortest round-trip decimal form.
std::string evaluation_row(const Evaluation& evaluation);

/// Saves when more than the checkpoint interval (30 s; environment MTLPRUNE_CHECKPOINT_SECONDS) has passed.
bool checkpoint_due(const JobFolder& folder);

/// What checkpoints hold of a network: widths and parameters.
TensorMap model_state(const MultiTaskModel& model);
/// Builds the network of a checkpoint (its widths may be pruned ones) with its weights.
MultiTaskModel load_model(const ModelConfig& base, const TensorMap& state);

}  // namespace mtlprune
