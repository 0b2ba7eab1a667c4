// One forward of what tasks share per batch, one backward per task (or one for all): the gradients that
// training and criteria need.
#pragma once

#include <torch/types.h>

#include <functional>
#include <vector>

#include "datasets/contract/batch.h"
#include "models/model.h"
#include "training/losses.h"
#include "training/precision.h"

namespace mtlprune {

/// A scalar on what tasks share of a mini-batch, to be added to the sum of its losses [T] (unweighted,
/// detached); undefined: none.
using FeatureLoss = std::function<torch::Tensor(const Batch& batch, const FeatureMaps& features,
                                                const torch::Tensor& losses)>;

struct GradientOptions {
    Fidelity losses = Fidelity::corrected;
    Precision precision = Precision::float32;
    double loss_scale = 1.0;  ///< of what flows backward; the results do not contain it
    double share = 1.0;       ///< of this mini-batch in the losses and gradients of an iteration
    FeatureLoss feature_loss = {};
};

/// The backward passes of one batch. The graph is cut at the shared features, so that every task's own part
/// runs backward once and the shared part once per requested gradient.
class TaskGradients {
  public:
    /// Runs the forward pass and all tasks' own backward passes. Gates of the model that require gradients
    /// have them after the parameters' in the lists below.
    TaskGradients(Model& model, const Batch& batch, const GradientOptions& options);
    explicit TaskGradients(Model& model, const Batch& batch, Fidelity losses = Fidelity::corrected)
        : TaskGradients(model, batch, GradientOptions{.losses = losses}) {}

    /// Factors of the losses [T] in all that concerns their sum; undefined (at first): all 1.
    void set_weights(const torch::Tensor& weights) { weights_ = weights; }
    /// Adds the losses and the tasks' own gradients of another mini-batch of the same iteration.
    void join(const TaskGradients& other);

    /// The losses and the tasks' own gradients, for whoever averages them over processes. shared() and
    /// shared_total() stay those of this process's mini-batch.
    std::vector<torch::Tensor*> parts();

    /// No more backward passes: frees the activations.
    void drop_graph() { features_.clear(); }

    /// Losses, float [T], unweighted, detached, on the model's device.
    const torch::Tensor& losses() const { return losses_; }
    size_t task_count() const { return feature_gradients_.size(); }

    /// Gradient of task `task`'s loss with respect to the shared parameters (in the order of
    /// shared_parameters()), then gates; undefined for what the loss does not depend on.
    std::vector<torch::Tensor> shared(size_t task);
    /// Gradient of the weighted sum of the losses and of the feature loss; one backward pass. Reads the
    /// gates' current values.
    std::vector<torch::Tensor> shared_total();
    /// Gradient of the feature loss alone; empty when there is none.
    std::vector<torch::Tensor> of_feature_loss();
    /// Of task `task`'s loss with respect to its own parameters, in the order of parameters_of(task).
    const std::vector<torch::Tensor>& own(size_t task) const { return own_gradients_.at(task); }
    /// The same of the weighted sum of the losses.
    std::vector<torch::Tensor> own_of_total(size_t task) const;
    /// Number of shared parameters: what lies behind them in the lists belongs to gates.
    size_t shared_count() const { return shared_count_; }

    /// Stores the gradients where optimisers look: `shared` (as returned above) and the tasks' own, weighted.
    void store(const std::vector<torch::Tensor>& shared);
    /// Adds `shared`, and the own weighted gradients of these tasks, to what is stored.
    void add(const std::vector<torch::Tensor>& shared, const std::vector<size_t>& tasks);

  private:
    std::vector<torch::Tensor> backward(const std::vector<torch::Tensor>& feature_gradients);
    std::vector<torch::Tensor> gradients_of(const torch::Tensor& loss,
                                            const std::vector<torch::Tensor>& inputs) const;
    void take_feature_loss(const Batch& batch, const FeatureMaps& leaves);
    torch::Tensor take_task(Model& model, size_t task, const FeatureMaps& leaves, const Target& target);
    torch::Tensor weighted(const torch::Tensor& gradient, size_t task) const;
    /// Takes the loss scale out again.
    void unscale(std::vector<torch::Tensor>& gradients) const;

    GradientOptions options_;
    torch::Tensor weights_;
    std::vector<torch::Tensor> shared_inputs_;  ///< shared parameters, then gates
    size_t shared_count_;
    FeatureMaps features_;
    torch::Tensor losses_;
    std::vector<std::vector<torch::Tensor>>
        feature_gradients_;                                   ///< per task, per map; undefined where unused
    std::vector<torch::Tensor> of_feature_loss_;              ///< per map; empty without such a loss
    std::vector<std::vector<torch::Tensor>> own_parameters_;  ///< per task
    std::vector<std::vector<torch::Tensor>> own_gradients_;   ///< per task, like own_parameters_
};

/// Adds to .grad, not in place: whoever holds the gradient that is there keeps it as it is. An undefined
/// gradient adds nothing.
void add_gradient(const torch::Tensor& parameter, const torch::Tensor& gradient);

/// Element-wise sum of lists of tensors of equal shapes; an undefined tensor counts as zeros.
std::vector<torch::Tensor> sum_gradients(const std::vector<std::vector<torch::Tensor>>& lists);

}  // namespace mtlprune
