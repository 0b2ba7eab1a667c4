// One forward of what tasks share per batch, one backward per task (or one for all): the gradients that
// training and criteria need.
#pragma once

#include <torch/types.h>

#include <vector>

#include "datasets/contract/batch.h"
#include "models/model.h"
#include "training/losses.h"

namespace mtlprune {

/// The backward passes of one batch. The graph is cut at the shared features, so that every task's own part
/// runs backward once and the shared part once per requested gradient.
class TaskGradients {
  public:
    /// Runs the forward pass and all tasks' own backward passes. Gates of the model that require gradients
    /// have them after the parameters' in the lists below.
    explicit TaskGradients(Model& model, const Batch& batch, Fidelity fidelity = Fidelity::corrected);

    /// Losses, float [T], detached, on the model's device.
    const torch::Tensor& losses() const { return losses_; }
    size_t task_count() const { return feature_gradients_.size(); }

    /// Gradient of task `task`'s loss with respect to the shared parameters (in the order of
    /// shared_parameters()), then gates; undefined for what the loss does not depend on.
    std::vector<torch::Tensor> shared(size_t task);
    /// Gradient of the sum of the losses; one backward pass. Reads the gates' current values.
    std::vector<torch::Tensor> shared_total();
    /// Of task `task`'s loss with respect to its own parameters, in the order of parameters_of(task).
    const std::vector<torch::Tensor>& own(size_t task) const { return own_gradients_.at(task); }
    /// Number of shared parameters: what lies behind them in the lists belongs to gates.
    size_t shared_count() const { return shared_count_; }

    /// Stores the gradients where optimisers look: `shared` (as returned above) and the tasks' own.
    void store(const std::vector<torch::Tensor>& shared);
    /// Adds `shared`, and the own gradients of these tasks, to what is stored.
    void add(const std::vector<torch::Tensor>& shared, const std::vector<size_t>& tasks);

  private:
    std::vector<torch::Tensor> backward(const std::vector<torch::Tensor>& feature_gradients);

    std::vector<torch::Tensor> shared_inputs_;  ///< shared parameters, then gates
    size_t shared_count_;
    FeatureMaps features_;
    torch::Tensor losses_;
    std::vector<std::vector<torch::Tensor>>
        feature_gradients_;                                   ///< per task, per map; undefined where unused
    std::vector<std::vector<torch::Tensor>> own_parameters_;  ///< per task
    std::vector<std::vector<torch::Tensor>> own_gradients_;   ///< per task, like own_parameters_
};

/// Adds to .grad, not in place: whoever holds the gradient that is there keeps it as it is. An undefined
/// gradient adds nothing.
void add_gradient(const torch::Tensor& parameter, const torch::Tensor& gradient);

/// Element-wise sum of lists of tensors of equal shapes; an undefined tensor counts as zeros.
std::vector<torch::Tensor> sum_gradients(const std::vector<std::vector<torch::Tensor>>& lists);

}  // namespace mtlprune
