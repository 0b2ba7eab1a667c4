// The main paper's released networks: state dicts of its PyTorch code.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/multi_task_model.h"

namespace mtlprune {

struct ReleasedNetwork {
    std::shared_ptr<MultiTaskModel> model;  ///< a Vgg with SmallAspp heads, gates folded into its weights
    std::vector<torch::Tensor> gates;       ///< [C] per convolution; ones where the file has none
};

/// Builds the network of a state_dict (entries "backbone.0.weight", "heads.normal.fc1.conv1.weight", ...),
/// pruned or not: widths and tasks are read off its shapes. Task names become those of their kinds. Throws
/// Error naming the first entry that is missing, unknown or of another shape.
ReleasedNetwork released_network(const std::map<std::string, torch::Tensor>& state_dict);

}  // namespace mtlprune
