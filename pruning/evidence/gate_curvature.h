// First and second derivatives of a mini-batch's loss with respect to gates on channels.
#pragma once

#include "pruning/evidence/loss_curvature.h"

namespace mtlprune {

/// float64 [C] per asked group.
using OfGates = std::vector<torch::Tensor>;

/// Gates scale the weights (of norms, where there are some) that give a channel, so their derivatives at 1
/// are those along these weights (gate_members.h).
class GateCurvature {
  public:
    /// Throws Error for a group whose producers have no gradients.
    explicit GateCurvature(const Evidence& batch);
    const OfGates& gradients() const { return gradients_; }
    /// The Hessian with respect to all gates, times a vector.
    OfGates times(const OfGates& vector) const;

  private:
    Evidence now_;
    LossCurvature curvature_;
    OfGates gradients_;
};

}  // namespace mtlprune
