// CosPrune: pairwise cosine of the tasks' gradients per filter (Garg, Zhang, Guan, 2023).
#pragma once

#include "pruning/criteria/criterion.h"

namespace mtlprune {

/// Score = mean over mini-batches since the last event of the mean over task pairs of cos(dL_i/dW_c,
/// dL_j/dW_c); weights only, biases not. Filters on which tasks conflict most (most negative) go first. A
/// zero gradient gives cosine 0. The gradients of a group's producers are concatenated. Needs at least two
/// tasks (Error).
class CosPruneCriterion : public Criterion {
  public:
    std::string name() const override { return "cosprune"; }
    bool needs_task_gradients() const override { return true; }
    void observe(const std::vector<GroupObservation>& groups) override;
    std::vector<torch::Tensor> scores() const override { return mean_.mean(name()); }
    void after_event(const std::vector<torch::Tensor>&) override { mean_.reset(); }
    std::map<std::string, torch::Tensor> state() const override;
    void load_state(const std::map<std::string, torch::Tensor>& state) override { mean_.load(state); }

  private:
    ScoreMean mean_;
};

/// Inner products of the tasks' gradients per filter in one pass over memory.
/// gradients: T tensors [C, ...] of one shape -> float64 [C, T, T].
torch::Tensor task_gram(const std::vector<torch::Tensor>& gradients);

/// Mean over task pairs of the cosine per filter: [C, T, T] -> [C].
torch::Tensor mean_pairwise_cosine(const torch::Tensor& gram);

}  // namespace mtlprune
