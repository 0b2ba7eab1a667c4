// Where a network's tensors live, and in which layout.
#pragma once

#include <torch/nn/module.h>

namespace mtlprune {

/// Moves `module` to `device`. On a GPU the weights of 2-D convolutions become channels-last, the layout of
/// its matrix units; optimisers created afterwards keep their moments in it too.
void place(torch::nn::Module& module, torch::Device device);

}  // namespace mtlprune
