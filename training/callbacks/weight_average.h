// Exponential moving average of the weights, which is evaluated and kept in their place.
#pragma once

#include <string>
#include <vector>

#include "training/callback.h"

namespace mtlprune {

/// After every iteration average = d average + (1 - d) weights (Polyak and Juditsky, 1992), where
/// d = min(decay, (1 + n) / (10 + n)) after n iterations, so that the first weights are soon forgotten.
/// Buffers are not averaged. When channels leave or are masked, the average loses them too.
class WeightAverage : public Callback {
  public:
    /// `model` must be the trainer's; `decay` in [0, 1).
    WeightAverage(ModelPtr model, double decay);
    std::string name() const override { return "average"; }
    void after_step(Trainer& trainer) override;
    void enter_evaluation(Trainer& trainer) override { swap(trainer); }
    void leave_evaluation(Trainer& trainer) override { swap(trainer); }
    void on_slice(const torch::Tensor& parameter, int64_t dim, const torch::Tensor& kept) override;
    void on_zero(const torch::Tensor& parameter, int64_t dim, const torch::Tensor& indices) override;
    void on_mask(const torch::Tensor& parameter, const torch::Tensor& kept) override;
    TensorMap state() const override;
    /// Throws Error naming an entry that is missing or of another shape.
    void load_state(const TensorMap& state) override;

    /// The factor d of the next iteration.
    double next_decay() const;
    /// In the order of the model's parameters.
    const std::vector<torch::Tensor>& averages() const { return averages_; }

  private:
    void swap(Trainer& trainer);
    /// Of a parameter of the model. Throws Error for another.
    torch::Tensor& average_of(const torch::Tensor& parameter);

    double decay_;
    int64_t updates_ = 0;
    std::vector<std::string> names_;
    std::vector<torch::Tensor> parameters_, averages_;
};

}  // namespace mtlprune
