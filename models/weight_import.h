// Weights of the main paper's released code (gargsid/MTLCosPrune, models/jumbo_vgg.py: MTLNet) for our model.
#pragma once

#include <torch/types.h>

#include <map>
#include <string>
#include <vector>

#include "models/multi_task_model.h"

namespace mtlprune {

/// The configuration of the network whose state_dict this is: VGG-16 widths, head width and tasks are read
/// off the shapes. Throws Error naming a missing entry, or when there is no head of a known task.
ModelConfig released_config(const std::map<std::string, torch::Tensor>& state_dict);

/// Copies a released state_dict into `model`, which must have the same shapes: backbone.<i>.{weight,bias} to
/// backbone.conv<n>.*, heads.<task>.fc{1,2,3,4}.conv<j>.* to heads.<task>.rate{1,2,4,6}.conv<j>.*.
/// Gates (backbone.<i>.weight [C], absent = 1) are folded into the weights and biases of their convolution,
/// so the model computes what the gated network computed. Returns them, one [C_l] per convolution: a gate of
/// 0 is a pruned filter. Throws Error naming the entry, the expected and the found shape for a missing,
/// unknown or mis-shaped entry and for a gate that is negative or not finite (no folding exists). The model
/// is unchanged then.
std::vector<torch::Tensor> import_released_weights(MultiTaskModel& model,
                                                   const std::map<std::string, torch::Tensor>& state_dict);

}  // namespace mtlprune
