// The size of all gradients together.
#pragma once

#include <torch/types.h>

#include <vector>

namespace mtlprune {

/// The Euclidean norm of all of them as one vector: a float64 scalar on their device, where it may be read
/// later. Undefined ones count as zeros; without any it is 0 on the CPU. Not finite when one of them is not.
torch::Tensor global_norm(const std::vector<torch::Tensor>& gradients);

/// Gradients in .grad whose global norm exceeds `limit` are scaled down to it (Pascanu, Mikolov, Bengio, ICML
/// 2013), by limit / (norm + 1e-6) as torch.nn.utils.clip_grad_norm_ does; smaller ones stay as they are to
/// the bit. Not in place: whoever holds a gradient keeps it. Nothing waits for the device.
void clip_gradients(const std::vector<torch::Tensor>& parameters, double limit);

}  // namespace mtlprune
