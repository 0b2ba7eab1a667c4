// New weights for the layers that read pruned channels: by least squares on their answers before, or scaled.
#pragma once

#include "pruning/criteria/criterion.h"

namespace mtlprune {

enum class Refit {
    weights,  ///< all weights of the channels that stay (He et al., ICCV 2017)
    scales    ///< one factor per channel that stays (Luo et al., ICCV 2017)
};

/// Of every convolution and linear layer that reads an asked group of which channels leave: argmin over what
/// `which` names of the squared error of the group's part of its answers, at `places` of its output drawn
/// with `key`. A ridge of 1e-10 of the mean diagonal makes it unique.
std::vector<Repair> refit_readers(const Evidence& now, const std::vector<torch::Tensor>& kept, Refit which,
                                  int64_t places, uint64_t key);

/// Weights of every layer that reads asked group number `asked`, of the channels `kept` (int64), times a
/// factor for each of them.
std::vector<Repair> scale_readers(const Evidence& now, size_t asked, const torch::Tensor& kept,
                                  const torch::Tensor& factors);

}  // namespace mtlprune
