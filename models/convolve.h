// The one place where convolutions are computed.
#pragma once

#include <torch/torch.h>

namespace mtlprune {

/// 2-D convolution, stride 1, "same" padding for the kernel and dilation of `layer`; x [B,C,H,W] -> [B,O,H,W].
torch::Tensor convolve(const torch::Tensor& x, const torch::nn::Conv2d& layer);

}  // namespace mtlprune
