// A layer's mask that changes while the network trains (Mocanu et al., 2018; Evci et al., RigL, ICML 2020).
#pragma once

#include <vector>

#include "pruning/masks/weight_masking.h"

namespace mtlprune {

/// `kept` (bool) without the smallest weights that it has too many of `wanted` (rounded); never more than
/// `kept`.
torch::Tensor dropped(const torch::Tensor& kept, const torch::Tensor& weight, double wanted);
/// The masked weights with the largest gradients that `kept` lacks of `wanted` (rounded down). `ties`: also
/// those that reach the last one's.
torch::Tensor grown(const torch::Tensor& kept, const torch::Tensor& gradient_sizes, double wanted, bool ties);

/// Per task and weight the sum of |dL/dw| over `parts` parts of each mini-batch, at `values` (see
/// MaskingBatches::gradients_at()).
TaskWeightGradients gradient_sizes(const MaskingBatches& step, const std::vector<torch::Tensor>& values,
                                   int64_t parts);

}  // namespace mtlprune
