// The one place where convolutions are computed.
#pragma once

#include <torch/torch.h>

namespace mtlprune {

/// 2-D convolution, stride 1, "same" padding for the (odd) kernel and dilation of `layer`; x [B,C,H,W] ->
/// [B,O,H,W]. Forward pass, input gradient and weight gradient of float32 tensors on the CPU each use the
/// kernel that bench_convolution found fastest for their shape (never a choice timed at run time: results
/// must repeat bitwise). Everything else, and any call under torch::jit's tracer, is at::conv2d.
torch::Tensor convolve(const torch::Tensor& x, const torch::nn::Conv2d& layer);

}  // namespace mtlprune
