// Convolution as one matrix product per kernel tap, over the positions where the tap meets the image.
#pragma once

#include <torch/types.h>

#include <array>

namespace mtlprune {

/// Share of (position, tap) pairs that fall inside the image, 0..1. A 3x3 kernel of dilation 6 on a 10x10 map
/// has 0.36: a kernel that multiplies the padding too does almost three times the work.
double valid_tap_share(const torch::Tensor& x, const torch::Tensor& weight, int64_t dilation);

/// x [B,C,H,W], weight [O,C,k,k] with k odd, bias [O] or undefined -> [B,O,H,W], channels-last. Stride 1,
/// "same" padding. Float32 on the CPU; no autograd.
torch::Tensor tap_forward(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                          int64_t dilation);

/// Gradients of x (channels-last), weight (contiguous) and bias; those not `wanted` stay undefined.
std::array<torch::Tensor, 3> tap_backward(const torch::Tensor& gradient, const torch::Tensor& x,
                                          const torch::Tensor& weight, int64_t dilation,
                                          std::array<bool, 3> wanted);

}  // namespace mtlprune
