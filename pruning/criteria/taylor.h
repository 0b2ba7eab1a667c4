// First-order Taylor importance of a channel gate (Molchanov et al., CVPR 2019, gate form).
#pragma once

#include "pruning/criteria/criterion.h"

namespace mtlprune {

struct TaylorOptions {
    /// Mean over the mini-batches since the last event (the original and the natural reading), else since the
    /// start.
    bool window = true;
    /// The released engine never clears the gates' gradients: at iteration k it reads 3 sum_{j<k} G_j + 2
    /// G_k.
    bool accumulate_gate_gradients = false;
    static TaylorOptions of(Fidelity fidelity) {
        return fidelity == Fidelity::corrected ? TaylorOptions{} : TaylorOptions{false, true};
    }
};

/// Score = mean over mini-batches of (dL/dgate)^2 at gate = 1, with L the sum of the task losses. For ReLU
/// networks dL/dgate = <W_c, dL/dW_c> + b_c dL/db_c, summed over the group's producers, so no gate module is
/// needed.
class TaylorCriterion : public Criterion {
  public:
    explicit TaylorCriterion(TaylorOptions options = {}) : options_(options) {}
    std::string name() const override { return "taylor"; }
    bool needs_gates() const override { return options_.accumulate_gate_gradients; }
    void observe(const std::vector<GroupObservation>& groups) override;
    void observe_update(const std::vector<torch::Tensor>& gate_gradients) override;
    std::vector<torch::Tensor> scores() const override { return mean_.mean(name()); }
    void after_event(const std::vector<torch::Tensor>& kept) override;
    std::map<std::string, torch::Tensor> state() const override;
    void load_state(const std::map<std::string, torch::Tensor>& state) override;

  private:
    TaylorOptions options_;
    ScoreMean mean_;
    std::vector<torch::Tensor> gate_history_;  ///< what the released gates' .grad holds
};

/// dL/dgate [C] of one group from its producers' parameters and gradients of the total loss.
torch::Tensor gate_gradient(const GroupObservation& group);

}  // namespace mtlprune
