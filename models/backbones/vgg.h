// VGG-16 without BatchNorm (Simonyan and Zisserman, ICLR 2015, configuration D), the main paper's backbone.
#pragma once

#include "models/backbones/backbone.h"
#include "models/layers/conv2d.h"

namespace mtlprune {

/// Output channels of VGG-16's convolutions, and the 1-based numbers of those that a 2x2 max-pooling follows.
const std::vector<int64_t>& vgg16_channels();
const std::vector<int64_t>& vgg16_poolings();

/// 3x3 convolution - max-pooling (some) - ReLU, as often as there are channels. Parameters are named
/// conv1.weight, conv1.bias, conv2.weight, ...
struct Vgg : Backbone {
    /// Throws Error for no layers, empty ones, and poolings after a layer that does not exist.
    Vgg(const std::vector<int64_t>& channels, const std::vector<int64_t>& poolings);

    std::vector<MapShape> maps() const override;
    FeatureMaps forward(torch::Tensor image) override;
    /// After pooling and ReLU.
    void set_gates(const std::vector<torch::Tensor>& gates) override;
    std::vector<torch::Tensor> gates() const override { return gates_; }

    std::vector<Conv2d> convolutions;
    std::vector<bool> pooled;

  private:
    std::vector<torch::Tensor> gates_;
};

}  // namespace mtlprune
