// Networks as TorchScript, which Python and other programs run without this project.
#pragma once

#include <torch/csrc/jit/api/module.h>

#include "models/model.h"

namespace mtlprune {

/// The network in evaluation mode, as it computes its predictions (a tuple, one per task, in order) for
/// images of the shape of `image` [B,3,H,W]; another batch size runs too. Its parameters and buffers share
/// memory with the model's and have their names.
torch::jit::Module to_torchscript(Model& model, const torch::Tensor& image);

}  // namespace mtlprune
