// 3x3 convolution by Winograd's minimal filtering F(4x4,3x3): 36 multiplications where the definition has
// 144.
//
// The map is cut into tiles of 4x4 outputs, which need 6x6 inputs. Input tiles d, weights g and gradients y
// of output tiles are transformed to 6x6 "frequencies" (B^T d B, G g G^T, A y A^T), which are multiplied one
// by one and summed over channels: 36 matrix products. (Lavin and Gray, CVPR 2016.) The points of
// interpolation are chosen for precision (models/layers/winograd_kernels.cpp).
#pragma once

#include <torch/types.h>

#include <array>

namespace mtlprune {

/// The share of the tiles' outputs that lie on the map of x.
double winograd_tile_share(const torch::Tensor& x, int64_t dilation);

/// x [B,C,H,W], weight [O,C,3,3], bias [O] or undefined -> [B,O,H,W], channels-last. Stride 1, padding as
/// wide as the dilation. Float32 on the CPU; no autograd. The same bits for any number of threads. An
/// infinite value may make all outputs of a tile NaN.
torch::Tensor winograd_forward(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                               int64_t dilation);

/// Gradients of x (channels-last), weight (contiguous) and bias; those not `wanted` stay undefined.
std::array<torch::Tensor, 3> winograd_backward(const torch::Tensor& gradient, const torch::Tensor& x,
                                               const torch::Tensor& weight, int64_t dilation,
                                               std::array<bool, 3> wanted);

}  // namespace mtlprune
