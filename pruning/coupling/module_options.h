// Keeps what modules say about their sizes true.
#pragma once

#include <torch/torch.h>

namespace mtlprune {

/// Sets in_channels, out_channels, groups, in_features, out_features and num_features of `module` and all
/// modules below it from the shapes of their tensors. Depthwise convolutions keep their channel multiplier.
void refresh_options(torch::nn::Module& module);

}  // namespace mtlprune
