// What a method is that leaves a mask on the weights of a network, while the network trains.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/registry.h"
#include "pruning/masks/weight_masks.h"
#include "training/trainer.h"

namespace mtlprune {

/// Of one iteration.
struct MaskingNeeds {
    /// Every task's gradients, MaskingGradients::task_gradients; they cost a backward pass per task.
    bool task_gradients = false;
    /// It is for looking alone: no parameter of the network changes.
    bool no_update = false;
};

/// What a method sees before the first iteration: the network that the stage starts from.
struct MaskingStart {
    const std::vector<MaskableWeight>& weights;
    const std::vector<TaskSpec>& tasks;
    int64_t iterations;  ///< of the training
    uint64_t seed;
};

/// Per task and maskable weight; undefined where the task's loss does not reach the weight.
using TaskWeightGradients = std::vector<std::vector<torch::Tensor>>;

/// One iteration.
struct MaskingStep {
    const std::vector<MaskableWeight>& weights;
    Trainer& trainer;
    int64_t iteration;     ///< of the training, from 0
    int64_t iterations;    ///< of the training
    double learning_rate;  ///< of this iteration
};

/// The same once its gradients have been taken: those of the weighted sum of the losses are the parameters'
/// .grad.
struct MaskingGradients : MaskingStep {
    const torch::Tensor& losses;  ///< [T], unweighted
    const std::vector<Batch>& batches;
    /// Of the unweighted losses, means over the iteration's mini-batches and over processes; empty unless
    /// needed.
    const TaskWeightGradients& task_gradients;

    /// The same of one mini-batch, by passes of its own in training mode with other values in place of the
    /// weights (one tensor per weight, undefined: as it is), which leave the network and its running
    /// statistics alone. Throws Error with several processes.
    TaskWeightGradients gradients_at(const std::vector<torch::Tensor>& values, const Batch& batch) const;
};

/// Belongs to a WeightMaskTraining, which calls it in every iteration, without recording gradients.
class WeightMasking {
  public:
    virtual ~WeightMasking() = default;
    /// Of iteration `iteration`.
    virtual MaskingNeeds needs(int64_t /*iteration*/) const { return {}; }
    /// Once, before the first iteration (a resumed training goes on with load_state()). May change weights.
    virtual void begin(const MaskingStart& /*start*/) {}
    /// May change weights, and .grad (not in place): what stands there is what the optimiser takes.
    virtual void after_gradients(MaskingGradients& /*step*/) {}
    /// May change weights.
    virtual void after_step(MaskingStep& /*step*/) {}
    /// As they are now: between iterations the network computes with zeros where a weight is not kept.
    virtual WeightMasks masks() const = 0;

    /// What a checkpoint must hold, beside the network.
    virtual TensorMap state() const { return {}; }
    virtual void load_state(const TensorMap& /*state*/) {}
};

/// Every method there is. A program may add its own before it uses any.
Registry<WeightMasking>& weight_maskings();

/// Weights that are not kept become zero for good: their values and moments, and what callbacks keep of them.
void zero_masked(Trainer& trainer, const std::vector<MaskableWeight>& weights, const WeightMasks& masks);
/// They get no gradients, so that they stay zero.
void zero_masked_gradients(const std::vector<MaskableWeight>& weights, const WeightMasks& masks);

}  // namespace mtlprune
