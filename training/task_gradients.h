// One forward of the backbone per batch, one backward per task (or one for all): the gradients that training
// and criteria need.
#pragma once

#include <torch/types.h>

#include <vector>

#include "datasets/contract/batch.h"
#include "datasets/contract/task.h"
#include "models/multi_task_model.h"
#include "training/losses.h"

namespace mtlprune {

/// The backward passes of one batch. The features are cut from the graph between backbone and heads, so that
/// every head's backward runs once and the backbone's once per requested gradient.
class TaskGradients {
  public:
    /// Runs the forward pass and all heads' backward passes. `gates` as in VggBackboneImpl::forward; those
    /// that require gradients have them after the parameters' in the lists below.
    TaskGradients(MultiTaskModel model, const Batch& batch, Fidelity fidelity = Fidelity::corrected,
                  const std::vector<torch::Tensor>* gates = nullptr);

    /// Losses, float [T], detached, on the model's device.
    const torch::Tensor& losses() const { return losses_; }
    size_t task_count() const { return feature_gradients_.size(); }

    /// Gradient of task `task`'s loss with respect to backbone parameters (in parameters() order), then
    /// gates.
    std::vector<torch::Tensor> backbone(size_t task);
    /// Gradient of the sum of the losses; one backward pass. Reads the gates' current values.
    std::vector<torch::Tensor> backbone_total();

    /// Stores the gradients where optimisers look: `backbone` (as returned above) and the heads' own, times
    /// `head_factors[task]` when given.
    void store(const std::vector<torch::Tensor>& backbone, const std::vector<double>& head_factors = {});

  private:
    std::vector<torch::Tensor> backward(const torch::Tensor& feature_gradient);

    MultiTaskModel model_;
    std::vector<torch::Tensor> backbone_inputs_;  ///< parameters, then gates
    size_t parameter_count_;
    torch::Tensor features_, losses_;
    std::vector<torch::Tensor> feature_gradients_;            ///< per task, like features
    std::vector<std::vector<torch::Tensor>> head_gradients_;  ///< per task, per parameter of its head
};

/// Element-wise sum of lists of tensors of equal shapes.
std::vector<torch::Tensor> sum_gradients(const std::vector<std::vector<torch::Tensor>>& lists);

}  // namespace mtlprune
