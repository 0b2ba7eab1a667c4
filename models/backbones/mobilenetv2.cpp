// MobileNetV2 (Sandler et al., CVPR 2018).
#include <torch/nn/modules/batchnorm.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "models/backbones/backbone.h"
#include "models/layers/conv2d.h"

namespace mtlprune {
namespace {

/// Inverted residual blocks with equally many channels; the first may stride.
struct Blocks {
    int64_t expansion, channels, count, stride;
};

/// Table 2 of the paper.
constexpr std::array<Blocks, 7> kBlocks = {{{1, 16, 1, 1},
                                            {6, 24, 2, 2},
                                            {6, 32, 3, 2},
                                            {6, 64, 4, 2},
                                            {6, 96, 3, 1},
                                            {6, 160, 3, 2},
                                            {6, 320, 1, 1}}};

/// "0" and "1": convolution, BatchNorm; then ReLU6.
class ConvNormRelu6 : public torch::nn::Module {
  public:
    explicit ConvNormRelu6(const UnbiasedConvolution& shape)
        : conv_(register_module("0", unbiased_convolution(shape))),
          norm_(register_module("1", torch::nn::BatchNorm2d(shape.out))) {}
    torch::Tensor forward(const torch::Tensor& x) {
        auto y = norm_(conv_(x));
        return torch::hardtanh_(y, 0, 6);
    }

  private:
    Conv2d conv_;
    torch::nn::BatchNorm2d norm_;
};

struct BlockShape {
    int64_t in, expansion, out, stride, dilation;
    bool residual;
};

/// 1x1 to more channels (unless the expansion is 1), depthwise 3x3, 1x1; in "conv" as torchvision numbers
/// them.
class InvertedResidual : public torch::nn::Module {
  public:
    explicit InvertedResidual(const BlockShape& shape) : residual_(shape.residual) {
        const auto conv = register_module("conv", std::make_shared<torch::nn::Module>());
        const int64_t hidden = shape.in * shape.expansion;
        if (shape.expansion != 1)
            layers_.push_back(conv->register_module(
                "0", std::make_shared<ConvNormRelu6>(UnbiasedConvolution{shape.in, hidden, 1})));
        layers_.push_back(conv->register_module(
            std::to_string(layers_.size()), std::make_shared<ConvNormRelu6>(UnbiasedConvolution{
                                                hidden, hidden, 3, shape.stride, shape.dilation, hidden})));
        const auto count = layers_.size();
        last_ = conv->register_module(std::to_string(count), unbiased_convolution({hidden, shape.out, 1}));
        norm_ = conv->register_module(std::to_string(count + 1), torch::nn::BatchNorm2d(shape.out));
    }

    torch::Tensor forward(const torch::Tensor& x) {
        auto y = x;
        for (auto& layer : layers_) y = layer->forward(y);
        y = norm_(last_(y));
        return residual_ ? y.add_(x) : y;
    }

  private:
    std::vector<std::shared_ptr<ConvNormRelu6>> layers_;
    Conv2d last_{nullptr};
    torch::nn::BatchNorm2d norm_{nullptr};
    bool residual_;
};

struct MobileNetV2Config {
    double width = 1.0;
    int64_t divisor = 8;
    int64_t output_stride = 32;
};

/// `full` times `width` as a multiple of the divisor, never less than nine tenths of it.
int64_t rounded_channels(int64_t full, const MobileNetV2Config& config) {
    if (config.divisor == 1) return scaled_channels(full, config.width);
    scaled_channels(full, config.width);  // checks the width
    const double wanted = config.width * static_cast<double>(full);
    const auto half = static_cast<double>(config.divisor) / 2;
    const int64_t rounded =
        std::max(config.divisor, static_cast<int64_t>(wanted + half) / config.divisor * config.divisor);
    return static_cast<double>(rounded) < 0.9 * wanted ? rounded + config.divisor : rounded;
}

/// The maps are the last ones of strides 4, 8, 16 and 32; the last one is that of the 1280 channels. Tensors
/// have torchvision's names.
class MobileNetV2 : public Backbone {
  public:
    explicit MobileNetV2(const MobileNetV2Config& config) : config_(config) {
        features_ = register_module("features", std::make_shared<torch::nn::Module>());
        const int64_t stem = rounded_channels(32, config);
        stem_ = features_->register_module(
            "0", std::make_shared<ConvNormRelu6>(UnbiasedConvolution{3, stem, 3, 2}));
        int64_t in = stem;
        for (const auto& blocks : kBlocks) in = add(blocks, in);
        const int64_t last = rounded_channels(1280, {std::max(1.0, config.width), config.divisor});
        last_ = features_->register_module(std::to_string(blocks_.size() + 1),
                                           std::make_shared<ConvNormRelu6>(UnbiasedConvolution{in, last, 1}));
        maps_.push_back({last, stride_});
    }

    std::vector<MapShape> maps() const override { return maps_; }

    FeatureMaps forward(torch::Tensor image) override {
        auto x = stem_->forward(image);
        FeatureMaps maps;
        for (size_t i = 0; i < blocks_.size(); ++i) {
            x = blocks_[i]->forward(x);
            if (std::find(map_blocks_.begin(), map_blocks_.end(), i) != map_blocks_.end()) maps.push_back(x);
        }
        maps.push_back(last_->forward(x));
        return maps;
    }

  private:
    /// Returns the channels of the last.
    int64_t add(const Blocks& blocks, int64_t in) {
        if (blocks.stride == 2 && blocks_.size() > 1) {
            map_blocks_.push_back(blocks_.size() - 1);
            maps_.push_back({in, stride_});
        }
        const int64_t out = rounded_channels(blocks.channels, config_);
        for (int64_t i = 0; i < blocks.count; ++i) {
            const int64_t nominal = i == 0 ? blocks.stride : 1;
            const bool strides = nominal == 2 && stride_ < config_.output_stride;
            const BlockShape shape{in,        blocks.expansion,         out, strides ? 2 : 1,
                                   dilation_, nominal == 1 && in == out};
            blocks_.push_back(features_->register_module(std::to_string(blocks_.size() + 1),
                                                         std::make_shared<InvertedResidual>(shape)));
            if (strides) stride_ *= 2;
            if (nominal == 2 && !strides) dilation_ *= 2;  // of what follows: this one reads what it read
            in = out;
        }
        return in;
    }

    MobileNetV2Config config_;
    int64_t stride_ = 2, dilation_ = 1;  ///< of what was added last
    std::shared_ptr<torch::nn::Module> features_;
    std::shared_ptr<ConvNormRelu6> stem_, last_;
    std::vector<std::shared_ptr<InvertedResidual>> blocks_;
    std::vector<size_t> map_blocks_;  ///< whose results are maps
    std::vector<MapShape> maps_;
};

void check(const MobileNetV2Config& config) {
    const int64_t stride = config.output_stride;
    if (stride != 8 && stride != 16 && stride != 32)
        throw Error("backbone mobilenetv2", "output_stride", "8, 16 or 32", std::to_string(stride));
    if (config.divisor < 1)
        throw Error("backbone mobilenetv2", "divisor", "at least 1", std::to_string(config.divisor));
}

}  // namespace

Registry<Backbone>::Entry mobilenetv2_backbone() {
    return {{.key = "mobilenetv2",
             .summary = "MobileNetV2; maps of strides 4, 8, 16 and 32, no classifier",
             .paper = "Sandler et al., CVPR 2018",
             .options = {{"width", 1.0, "factor on the channels of all layers; of the last only above 1"},
                         {"divisor", 8, "of all numbers of channels"},
                         {"output_stride", 32, "32, 16 or 8; less than 32: dilations replace strides"}}},
            [](const nlohmann::json& options) {
                const MobileNetV2Config config{options.at("width").get<double>(),
                                               options.at("divisor").get<int64_t>(),
                                               options.at("output_stride").get<int64_t>()};
                check(config);
                return std::make_unique<MobileNetV2>(config);
            }};
}

}  // namespace mtlprune
