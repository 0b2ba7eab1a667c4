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

/// Per task and maskable weight, zeros where the task's loss does not reach the weight.
using TaskWeightGradients = std::vector<std::vector<torch::Tensor>>;

/// One iteration.
struct MaskingStep {
    const std::vector<MaskableWeight>& weights;
    Trainer& trainer;
    int64_t iteration;     ///< of the training, from 0
    int64_t iterations;    ///< of the training
    double learning_rate;  ///< of this iteration
};

/// The same with its mini-batches.
struct MaskingBatches : MaskingStep {
    const std::vector<Batch>& batches;

    /// Every task's gradients on a mini-batch (or a part of one), by passes of its own in training mode with
    /// other values in place of the weights (one tensor per weight, undefined: as it is). Network and running
    /// statistics stay as they are. Throws Error with several processes.
    TaskWeightGradients gradients_at(const std::vector<torch::Tensor>& values, const Batch& batch) const;
};

/// The same once its gradients have been taken: those of the weighted sum of the losses are the parameters'
/// .grad.
struct MaskingGradients : MaskingBatches {
    const torch::Tensor& losses;  ///< [T], unweighted
    /// Of the unweighted losses, means over the iteration's mini-batches and over processes; empty unless
    /// needed.
    const TaskWeightGradients& task_gradients;
};

/// Belongs to a WeightMaskTraining, which calls it in every iteration, without recording gradients.
class WeightMasking {
  public:
    virtual ~WeightMasking() = default;
    /// Of iteration `iteration`.
    virtual MaskingNeeds needs(int64_t /*iteration*/) const { return {}; }
    /// Once, before the first iteration (a resumed training goes on with load_state()). May change weights.
    virtual void begin(const MaskingStart& /*start*/) {}
    /// Before the gradients are taken. May change weights and masks.
    virtual void before_gradients(MaskingBatches& /*step*/) {}
    /// May change weights, and .grad (not in place): what stands there is what the optimiser takes.
    virtual void after_gradients(MaskingGradients& /*step*/) {}
    /// May change weights.
    virtual void after_step(MaskingStep& /*step*/) {}
    /// As they are now: between iterations the network computes with zeros where a weight is not kept.
    virtual WeightMasks masks() const = 0;
    /// No masks change in iteration `iteration` or later: networks may be selected from there on.
    virtual bool settled(int64_t /*iteration*/) const { return true; }

    /// What a checkpoint must hold, beside the network.
    virtual TensorMap state() const { return {}; }
    virtual void load_state(const TensorMap& /*state*/) {}
};

/// Every method there is. A program may add its own before it uses any.
Registry<WeightMasking>& weight_maskings();

/// The values of weights that are not kept become zero.
void zero_weights(const std::vector<MaskableWeight>& weights, const WeightMasks& masks);
/// They are zero for good: moments and what callbacks keep of them too.
void zero_masked(Trainer& trainer, const std::vector<MaskableWeight>& weights, const WeightMasks& masks);
/// They get no gradients, so that they stay zero.
void zero_masked_gradients(const std::vector<MaskableWeight>& weights, const WeightMasks& masks);

}  // namespace mtlprune
