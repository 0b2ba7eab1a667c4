// The step that encoder-decoder networks repeat.
#pragma once

#include <torch/nn/modules/batchnorm.h>

#include <string>
#include <vector>

#include "models/layers/conv2d.h"

namespace mtlprune {

/// 3x3 convolution - batch norm - ReLU at the map's size. Parameters "0.weight", "0.bias", "1.weight",
/// "1.bias", as in a Sequential.
struct ConvNormReluImpl : torch::nn::Module {
    ConvNormReluImpl(int64_t in_channels, int64_t out_channels, bool conv_bias = true,
                     bool normalised = true);
    torch::Tensor forward(const torch::Tensor& x);
    Conv2d conv;
    torch::nn::BatchNorm2d norm{nullptr};
};
TORCH_MODULE(ConvNormRelu);

/// Modules `name`.0, `name`.1, ... of `parent`; each of the channels that the one before gives.
std::vector<ConvNormRelu> register_convolutions(torch::nn::Module& parent, const std::string& name,
                                                const std::vector<int64_t>& channels, bool conv_bias = true,
                                                bool normalised = true);

torch::Tensor run(std::vector<ConvNormRelu>& convolutions, torch::Tensor x);

}  // namespace mtlprune
