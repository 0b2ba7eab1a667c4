// Training under a method that masks weights.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pruning/masks/weight_masking.h"
#include "training/callback.h"

namespace mtlprune {

/// Runs a masking beside a trainer, which must do `iterations` iterations.
class WeightMaskTraining : public Callback {
  public:
    /// `model` must be the trainer's, and hold the weights that the training starts from (a resumed one: any;
    /// load_state() follows).
    WeightMaskTraining(ModelPtr model, std::unique_ptr<WeightMasking> masking, int64_t iterations,
                       uint64_t seed);
    std::string name() const override { return "weight_masks"; }
    bool needs_task_gradients() const override { return needs_.task_gradients; }
    void before_gradients(Trainer& trainer, const std::vector<Batch>& batches) override;
    void after_gradients(TrainingStep& step) override;
    void after_step(Trainer& trainer) override;
    TensorMap state() const override { return masking_->state(); }
    void load_state(const TensorMap& state) override;

    WeightMasks masks() const { return masking_->masks(); }
    const WeightMasking& masking() const { return *masking_; }
    const std::vector<MaskableWeight>& weights() const { return weights_; }

  private:
    MaskingStep step(Trainer& trainer, int64_t iteration) const;
    void drop_gradients() const;

    ModelPtr model_;
    std::unique_ptr<WeightMasking> masking_;
    int64_t iterations_;
    std::vector<MaskableWeight> weights_;
    MaskingNeeds needs_;
    bool has_gradients_ = false;
};

}  // namespace mtlprune
