// The residual networks for small images (He et al., CVPR 2016, section 4.2).
#include <fmt/format.h>

#include "models/backbones/resnet.h"

namespace mtlprune {
namespace {

/// 3x3 convolution, then three stages of basic blocks with 16, 32 and 64 channels, whose results are the
/// maps.
class CifarResNet : public Backbone {
  public:
    CifarResNet(int64_t blocks, double width, bool projection) {
        int64_t in = scaled_channels(16, width);
        conv_ = register_module("conv1", unbiased_convolution({3, in, 3}));
        norm_ = register_module("bn1", torch::nn::BatchNorm2d(in));
        for (int64_t i = 0; i < 3; ++i) {
            ResidualStage stage{in, scaled_channels(int64_t{16} << i, width), blocks};
            stage.stride = i == 0 ? 1 : 2;
            stage.shortcut = i == 0       ? Shortcut::identity
                             : projection ? Shortcut::projection
                                          : Shortcut::zeros;
            maps_.push_back({stage.channels, int64_t{1} << i});
            stages_.push_back(register_module(fmt::format("layer{}", i + 1), residual_stage(stage)));
            in = stage.channels;
        }
    }

    std::vector<MapShape> maps() const override { return maps_; }

    FeatureMaps forward(torch::Tensor image) override {
        auto x = norm_(conv_(image)).relu_();
        FeatureMaps maps;
        for (auto& stage : stages_) maps.push_back(x = stage->forward(x));
        return maps;
    }

  private:
    Conv2d conv_{nullptr};
    torch::nn::BatchNorm2d norm_{nullptr};
    std::vector<torch::nn::Sequential> stages_;
    std::vector<MapShape> maps_;
};

Registry<Backbone>::Entry cifar_resnet(int64_t layers) {
    return {{.key = fmt::format("resnet{}", layers),
             .summary = fmt::format("ResNet-{} of CIFAR; its three stages' maps, no classifier", layers),
             .paper = "He et al., CVPR 2016",
             .options = {{"width", 1.0, "factor on the channels of all layers"},
                         {"projection", false, "strided 1x1 convolutions beside strided blocks, not zeros"}}},
            [layers](const nlohmann::json& options) {
                // Two convolutions a block; the first convolution and the classifier count too.
                return std::make_unique<CifarResNet>((layers - 2) / 6, options.at("width").get<double>(),
                                                     options.at("projection").get<bool>());
            }};
}

}  // namespace

Registry<Backbone>::Entry resnet20_backbone() {
    return cifar_resnet(20);
}

Registry<Backbone>::Entry resnet56_backbone() {
    return cifar_resnet(56);
}

}  // namespace mtlprune
