// The weight gradient of models/layers/conv_winograd.h.
#pragma once

#include <torch/types.h>

#include <utility>

namespace mtlprune::winograd {

/// Of weight [O,C,3,3] and bias [O], contiguous, from the gradient of the output [B,O,H,W] and the input x
/// [B,C,H,W]; float32 on the CPU.
std::pair<torch::Tensor, torch::Tensor> gradients_of_weights(const torch::Tensor& gradient,
                                                             const torch::Tensor& x, int64_t dilation);

}  // namespace mtlprune::winograd
