// VGG-16 (Simonyan and Zisserman, ICLR 2015, configuration D); without BatchNorm the main paper's backbone.
#pragma once

#include <torch/nn/modules/batchnorm.h>

#include "models/backbones/backbone.h"
#include "models/layers/conv2d.h"

namespace mtlprune {

/// Output channels of VGG-16's convolutions, and the 1-based numbers of those that a 2x2 max-pooling follows.
const std::vector<int64_t>& vgg16_channels();
const std::vector<int64_t>& vgg16_poolings();

/// 3x3 convolution - BatchNorm (if any) - max-pooling (some) - ReLU, as often as there are channels.
/// Parameters are named conv1.weight, conv1.bias, norm1.weight, ..., conv2.weight, ...
struct Vgg : Backbone {
    /// Throws Error for no layers, empty ones, and poolings after a layer that does not exist.
    Vgg(const std::vector<int64_t>& channels, const std::vector<int64_t>& poolings, bool batch_norm = false);

    std::vector<MapShape> maps() const override;
    FeatureMaps forward(torch::Tensor image) override;
    /// torchvision's: "features.<number>.weight".
    std::string released_name(const std::string& name) const override;
    /// After pooling and ReLU.
    void set_gates(const std::vector<torch::Tensor>& gates) override;
    std::vector<torch::Tensor> gates() const override { return gates_; }

    std::vector<Conv2d> convolutions;
    std::vector<torch::nn::BatchNorm2d> norms;  ///< empty without BatchNorm
    std::vector<bool> pooled;

  private:
    std::vector<torch::Tensor> gates_;
};

}  // namespace mtlprune
