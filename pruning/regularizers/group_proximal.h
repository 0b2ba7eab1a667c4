// Proximal steps of group norms in the metric of an optimiser (Deleu, Bengio, Structured Sparsity Inducing
// Adaptive Optimizers for Deep Learning, 2021).
#pragma once

#include <torch/types.h>

namespace mtlprune {

/// Per row the x that minimises 0.5 sum_i D_i (x_i - y_i)^2 + strength ||x||: 0 where ||D y|| <= strength.
/// y and D (positive) are [C, n], the result float64.
torch::Tensor group_proximal(const torch::Tensor& y, const torch::Tensor& metric, double strength);

}  // namespace mtlprune
