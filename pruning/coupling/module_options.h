// Keeps what modules say about their sizes true.
#pragma once

#include <torch/torch.h>

#include "pruning/coupling/plan.h"

namespace mtlprune {

/// Sets in_channels, out_channels, groups, in_features, out_features and num_features of `module` and all
/// modules below it from the shapes of their tensors, after `plan` was carried out. A depthwise convolution
/// whose channels left keeps its multiplier and gets fewer groups; all other convolutions keep their groups.
void refresh_options(torch::nn::Module& module, const Plan& plan);

}  // namespace mtlprune
