// The weights that masks are about: those of convolutions and linear layers.
#pragma once

#include <string>
#include <vector>

#include "models/model.h"

namespace mtlprune {

struct MaskableWeight {
    std::string name;         ///< as in named_parameters()
    std::string task;         ///< whose head it belongs to; empty: to all
    bool convolution;         ///< else of a linear layer
    torch::Tensor parameter;  ///< shares memory with the network's
};

/// Those of a model, the shared ones first, then every task's own, each in the order of registration. Never
/// biases, nor parameters of norms or of any other layer.
std::vector<MaskableWeight> maskable_weights(const Model& model);

/// Numbers of those that the loss of task `task` can reach: shared or its own.
std::vector<size_t> reached_by(const std::vector<MaskableWeight>& weights, const std::string& task);

}  // namespace mtlprune
