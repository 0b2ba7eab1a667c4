// How the tasks' losses become one update: factors of the losses, or another sum of their gradients.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/registry.h"
#include "datasets/contract/task.h"
#include "training/checkpoint.h"
#include "training/optimizer.h"

namespace mtlprune {

/// Gradients with respect to the shared parameters, then gates: one list per task.
using TaskLists = std::vector<std::vector<torch::Tensor>>;

/// What a weighting is made for.
struct WeightingContext {
    std::vector<TaskSpec> tasks;
    OptimizerConfig optimizer;        ///< of the network
    uint64_t seed = 0;                ///< of what is drawn
    torch::TensorOptions options;     ///< type and device of the network's parameters
    std::vector<int64_t> dimensions;  ///< of every shared parameter's tensor, in order
    size_t count() const { return tasks.size(); }
};

/// What it sees of an iteration.
struct WeightingStep {
    int64_t iteration;
    double learning_rate;
    const torch::Tensor& losses;  ///< [T], unweighted
    const TaskLists& gradients;   ///< of the unweighted losses; empty unless asked for
};

/// The factors apply to a task's own parameters too. One backward pass of the shared part for all tasks
/// suffices where only the factors matter.
class TaskWeighting {
  public:
    virtual ~TaskWeighting() = default;
    /// WeightingStep::gradients are wanted.
    virtual bool needs_task_gradients() const { return false; }
    /// The factors change while training.
    virtual bool learns() const { return false; }
    /// Factors of the losses [T] in the next iteration, on the network's device; undefined: all 1.
    virtual torch::Tensor weights() const { return {}; }
    /// The shared part of the update: the weighted sum of the tasks' gradients, unless said otherwise.
    virtual std::vector<torch::Tensor> combine(const WeightingStep& step) const;
    /// After the gradients of an iteration were taken with weights().
    virtual void learn(const WeightingStep& /*step*/) {}

    virtual TensorMap state() const { return {}; }
    /// Throws Error naming a missing entry.
    virtual void load_state(const TensorMap& /*state*/) {}
};

using WeightingRegistry = Registry<TaskWeighting, const WeightingContext&>;
const WeightingRegistry& task_weightings();

/// Throws Error unless `text` ("dwa:temperature=2") names a weighting with options that it has.
void require_task_weighting(const std::string& text);

/// Sum over tasks of factor times gradient; an undefined gradient counts as zeros, undefined factors as 1.
std::vector<torch::Tensor> weighted_sum(const TaskLists& gradients, const torch::Tensor& weights);

/// An entry of a weighting's state. Throws Error naming it when it is missing.
const torch::Tensor& weighting_entry(const TensorMap& state, const std::string& name);

/// One per file of this folder.
WeightingRegistry::Entry fixed_weighting();
WeightingRegistry::Entry uncertainty_weighting();
WeightingRegistry::Entry dwa_weighting();
WeightingRegistry::Entry gradnorm_weighting();
WeightingRegistry::Entry pcgrad_weighting();
WeightingRegistry::Entry adapmtl_weighting();

}  // namespace mtlprune
