// What may happen beside training: regularisers, pruning, distillation, evaluation.
#pragma once

#include <string>
#include <vector>

#include "training/checkpoint.h"
#include "training/task_gradients.h"

namespace mtlprune {

class Trainer;

/// One iteration whose gradients have been taken and stored in .grad, but not yet used. They are means over
/// its mini-batches.
struct TrainingStep {
    Trainer& trainer;
    const std::vector<Batch>& batches;
    /// Losses and the tasks' own gradients; backward passes are those of the last mini-batch alone, and of
    /// this process alone where several train.
    TaskGradients& gradients;
    /// Per task (unweighted), of the shared parameters, then gates; empty unless a callback or the task
    /// weighting needs them.
    const std::vector<std::vector<torch::Tensor>>& task_gradients;
    /// What the task weighting makes of them, in the same order; extra losses are in .grad alone.
    const std::vector<torch::Tensor>& total;
};

/// Called in the order in which a trainer was given its callbacks.
class Callback {
  public:
    virtual ~Callback() = default;
    /// Of its entries in a checkpoint; differs within a trainer.
    virtual std::string name() const = 0;
    /// Of the next iteration; asked after before_gradients().
    virtual bool needs_task_gradients() const { return false; }
    /// A scalar that is added to the losses, e.g. a penalty on weights; undefined: none.
    virtual torch::Tensor extra_loss(Trainer& /*trainer*/) { return {}; }
    /// Before the gradients of these mini-batches are taken. May change weights.
    virtual void before_gradients(Trainer& /*trainer*/, const std::vector<Batch>& /*batches*/) {}
    /// May read and change .grad, and take channels out of the network.
    virtual void after_gradients(TrainingStep& /*step*/) {}
    virtual void after_step(Trainer& /*trainer*/) {}
    /// Before every mini-batch, and after the last: the place to evaluate, and to stop.
    virtual void between_steps(Trainer& /*trainer*/) {}

    /// Weights that are to be evaluated take the place of those that are trained, and leave it again; see
    /// EvaluatedWeights.
    virtual void enter_evaluation(Trainer& /*trainer*/) {}
    virtual void leave_evaluation(Trainer& /*trainer*/) {}

    /// Of dimension `dim` of a parameter, which has its new size, these rows (int64 [n]) are left.
    virtual void on_slice(const torch::Tensor& /*parameter*/, int64_t /*dim*/,
                          const torch::Tensor& /*kept*/) {}
    /// These rows became zero for good.
    virtual void on_zero(const torch::Tensor& /*parameter*/, int64_t /*dim*/,
                         const torch::Tensor& /*indices*/) {}
    /// Those elements of a parameter that are not kept (bool, of its shape) became zero for good.
    virtual void on_mask(const torch::Tensor& /*parameter*/, const torch::Tensor& /*kept*/) {}

    /// What a checkpoint must hold to go on exactly.
    virtual TensorMap state() const { return {}; }
    virtual void load_state(const TensorMap& /*state*/) {}
};

}  // namespace mtlprune
