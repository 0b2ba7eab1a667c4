// Distillation of what tasks share, from an unpruned network to what pruning left of it.
#pragma once

#include <string>
#include <vector>

#include "training/callback.h"

namespace mtlprune {

/// Adds beta * sum over maps of mean((student - teacher's kept channels)^2) to the losses. No head takes
/// part, so that tasks of any kind are served. beta is chosen so that the sum is `weight` times the losses in
/// the first iteration, and stays. After the description of Wang, Wu, Zhang, Suto, Zhong (arXiv 2511.05557,
/// 2025; the paper's own equations could not be read).
class FeatureDistillation : public Callback {
  public:
    /// `kept`: per map of features(), the numbers (int64) that the student's channels have in the teacher.
    /// The teacher is evaluated, never changed.
    FeatureDistillation(ModelPtr teacher, std::vector<torch::Tensor> kept, double weight);
    std::string name() const override { return "distillation"; }
    torch::Tensor feature_loss(const Batch& batch, const FeatureMaps& features,
                               const torch::Tensor& losses) override;
    TensorMap state() const override;
    void load_state(const TensorMap& state) override;

  private:
    ModelPtr teacher_;
    std::vector<torch::Tensor> kept_;
    double weight_;
    torch::Tensor beta_;  ///< undefined before the first iteration
};

}  // namespace mtlprune
