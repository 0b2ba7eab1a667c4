// Training under a method that masks weights.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pruning/masks/weight_masking.h"
#include "training/callback.h"

namespace mtlprune {

/// Runs a masking beside a trainer, and stops it after `iterations` iterations (those without usable
/// gradients, in float16, do not count).
class WeightMaskTraining : public Callback {
  public:
    /// `model` must be the trainer's, and hold the weights that the stage starts from.
    WeightMaskTraining(ModelPtr model, std::unique_ptr<WeightMasking> masking, int64_t iterations,
                       uint64_t seed);
    std::string name() const override { return "weight_masks"; }
    bool needs_task_gradients() const override;
    void after_gradients(TrainingStep& step) override;
    void after_step(Trainer& trainer) override;
    void between_steps(Trainer& trainer) override;
    TensorMap state() const override;
    void load_state(const TensorMap& state) override;

    WeightMasks masks() const { return masking_->masks(); }
    const WeightMasking& masking() const { return *masking_; }
    const std::vector<MaskableWeight>& weights() const { return weights_; }
    int64_t iterations() const { return iterations_; }
    /// Those with gradients so far.
    int64_t iteration() const { return iteration_; }
    bool finished() const { return iteration_ >= iterations_; }

  private:
    MaskingStep step(Trainer& trainer) const;

    ModelPtr model_;
    std::unique_ptr<WeightMasking> masking_;
    int64_t iterations_;
    std::vector<MaskableWeight> weights_;
    int64_t iteration_ = 0;
    bool has_gradients_ = false;
};

}  // namespace mtlprune
