// DenseNet-121 (Huang et al., CVPR 2017, DenseNet-BC).
#include <fmt/format.h>
#include <torch/nn/modules/batchnorm.h>

#include <algorithm>

#include "base/error.h"
#include "models/backbones/backbone.h"
#include "models/layers/conv2d.h"

namespace mtlprune {
namespace {

/// Output channels of the 1x1 convolution of a layer, in growth rates.
constexpr int64_t kBottleneck = 4;

struct DenseLayer : torch::nn::Module {
    DenseLayer(int64_t in, int64_t growth)
        : norm1(register_module("norm1", torch::nn::BatchNorm2d(in))),
          conv1(register_module("conv1", unbiased_convolution({in, kBottleneck * growth, 1}))),
          norm2(register_module("norm2", torch::nn::BatchNorm2d(kBottleneck * growth))),
          conv2(register_module("conv2", unbiased_convolution({kBottleneck * growth, growth, 3}))) {}

    /// [B,in,H,W] -> [B,growth,H,W]
    torch::Tensor forward(const torch::Tensor& x) { return conv2(norm2(conv1(norm1(x).relu_())).relu_()); }

    torch::nn::BatchNorm2d norm1;
    Conv2d conv1;
    torch::nn::BatchNorm2d norm2;
    Conv2d conv2;
};

/// Half the channels, half the height and width.
struct Transition : torch::nn::Module {
    explicit Transition(int64_t in)
        : norm(register_module("norm", torch::nn::BatchNorm2d(in))),
          conv(register_module("conv", unbiased_convolution({in, std::max<int64_t>(1, in / 2), 1}))) {}

    torch::Tensor forward(const torch::Tensor& x) { return torch::avg_pool2d(conv(norm(x).relu_()), 2, 2); }

    torch::nn::BatchNorm2d norm;
    Conv2d conv;
};

/// Four blocks, whose layers read all maps before them. The results of the blocks are the maps, the last one
/// behind "norm5" and ReLU. Tensors have torchvision's names.
class DenseNet : public Backbone {
  public:
    DenseNet(const std::vector<int64_t>& blocks, int64_t growth, int64_t initial) {
        features_ = register_module("features", std::make_shared<torch::nn::Module>());
        conv_ = features_->register_module("conv0", unbiased_convolution({3, initial, 7, 2}));
        norm_ = features_->register_module("norm0", torch::nn::BatchNorm2d(initial));
        int64_t channels = initial;
        for (size_t i = 0; i < blocks.size(); ++i) {
            channels = add_block(blocks[i], channels, growth);
            maps_.push_back({channels, int64_t{4} << i});
            if (i + 1 == blocks.size()) break;
            transitions_.push_back(features_->register_module(fmt::format("transition{}", i + 1),
                                                              std::make_shared<Transition>(channels)));
            channels = transitions_.back()->conv->weight.size(0);
        }
        last_norm_ = features_->register_module(fmt::format("norm{}", blocks.size() + 1),
                                                torch::nn::BatchNorm2d(channels));
    }

    std::vector<MapShape> maps() const override { return maps_; }

    FeatureMaps forward(torch::Tensor image) override {
        // The same bits as pooling after ReLU, with a quarter of the memory to read and write.
        auto x = torch::max_pool2d(norm_(conv_(image)), 3, 2, 1).relu_();
        FeatureMaps maps;
        for (size_t i = 0; i < blocks_.size(); ++i) {
            for (auto& layer : blocks_[i]) x = torch::cat({x, layer->forward(x)}, 1);
            if (i + 1 == blocks_.size()) x = last_norm_(x).relu_();
            maps.push_back(x);
            if (i + 1 < blocks_.size()) x = transitions_[i]->forward(x);
        }
        return maps;
    }

  private:
    /// Returns the channels of its result.
    int64_t add_block(int64_t layers, int64_t in, int64_t growth) {
        auto block = features_->register_module(fmt::format("denseblock{}", blocks_.size() + 1),
                                                std::make_shared<torch::nn::Module>());
        blocks_.emplace_back();
        for (int64_t i = 0; i < layers; ++i, in += growth)
            blocks_.back().push_back(block->register_module(fmt::format("denselayer{}", i + 1),
                                                            std::make_shared<DenseLayer>(in, growth)));
        return in;
    }

    std::shared_ptr<torch::nn::Module> features_;
    Conv2d conv_{nullptr};
    torch::nn::BatchNorm2d norm_{nullptr}, last_norm_{nullptr};
    std::vector<std::vector<std::shared_ptr<DenseLayer>>> blocks_;
    std::vector<std::shared_ptr<Transition>> transitions_;
    std::vector<MapShape> maps_;
};

}  // namespace

Registry<Backbone>::Entry densenet121_backbone() {
    return {{.key = "densenet121",
             .summary = "DenseNet-121; its four blocks' maps, no classifier; images of at least 32 x 32",
             .paper = "Huang et al., CVPR 2017",
             .options = {{"width", 1.0, "factor on the growth rate (32) and the first layer's channels (64)"},
                         {"blocks", {6, 12, 24, 16}, "layers of each block"}}},
            [](const nlohmann::json& options) {
                const double width = options.at("width").get<double>();
                const auto blocks = options.at("blocks").get<std::vector<int64_t>>();
                if (blocks.empty() || *std::min_element(blocks.begin(), blocks.end()) < 1)
                    throw Error("backbone densenet121", "blocks",
                                "at least one block of at least one layer each", options.at("blocks").dump());
                return std::make_unique<DenseNet>(blocks, scaled_channels(32, width),
                                                  scaled_channels(64, width));
            }};
}

}  // namespace mtlprune
