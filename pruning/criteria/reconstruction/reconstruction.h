// Choices of channels from Gram matrices of what they add to the next layers' answers.
#pragma once

#include <torch/types.h>

namespace mtlprune {

/// gram float64 [C,C] -> float64 [C]: 0 for the channel that leaves first, each time the one whose leaving
/// makes the squared sum of all that left smallest; ties by index. (ThiNet, equation 6 of Luo et al., ICCV
/// 2017.)
torch::Tensor greedy_removal_ranks(const torch::Tensor& gram);

/// covariance float64 [C,C] of x -> float64 [C]: the largest penalty, by the one that leaves nothing, at
/// which argmin_b 1/2 E(sum of x - b x)^2 + penalty |b|_1 has the channel, on a grid of 100 penalties down to
/// 1e-6; 0: at none. Times 1 + 1e-6 |b|, so that channels that enter together are ordered.
torch::Tensor lasso_entry_scores(const torch::Tensor& covariance);

}  // namespace mtlprune
