#include "models/backbones/resnet.h"

#include <fmt/format.h>

#include "base/error.h"

namespace mtlprune {
namespace {

/// How the stages of a network reach their strides.
enum class Dilation {
    /// torchvision's, and none at output stride 32.
    replaced_strides,
    /// AdaShare's: 1, 1, 2, 4, each for a whole stage. Max-pooling rounds up: of an image of 64 x 64 pixels
    /// the
    /// last map has 9 x 9.
    deeplab
};

struct ResNetConfig {
    std::vector<int64_t> blocks;
    bool bottleneck = false;
    double width = 1.0;
    int64_t output_stride = 32;
    Dilation dilation = Dilation::replaced_strides;
};

std::vector<ResidualStage> stages_of(const ResNetConfig& config) {
    std::vector<ResidualStage> stages;
    int64_t in = scaled_channels(64, config.width), stride = 4, dilation = 1;
    for (size_t i = 0; i < config.blocks.size(); ++i) {
        ResidualStage stage{in, scaled_channels(int64_t{64} << i, config.width), config.blocks[i],
                            config.bottleneck};
        stage.first_dilation = dilation;
        if (i > 0 && stride < config.output_stride)
            stage.stride = 2;
        else if (i > 0)
            dilation *= 2;
        stride *= stage.stride;
        stage.dilation = dilation;
        if (config.dilation == Dilation::deeplab) stage.first_dilation = dilation;
        if (i == 0 && stage.out() == in) stage.shortcut = Shortcut::identity;
        stages.push_back(stage);
        in = stage.out();
    }
    return stages;
}

/// 7x7 convolution and max-pooling, both of stride 2, then four stages, whose results are the maps. Tensors
/// have torchvision's names.
class ResNet : public Backbone {
  public:
    explicit ResNet(const ResNetConfig& config) : dilation_(config.dilation) {
        const auto stages = stages_of(config);
        const int64_t in = stages[0].in;
        conv_ = register_module("conv1", unbiased_convolution({3, in, 7, 2}));
        norm_ = register_module("bn1", torch::nn::BatchNorm2d(in));
        int64_t stride = 4;
        for (const auto& stage : stages) {
            stride *= stage.stride;
            maps_.push_back({stage.out(), stride});
            stages_.push_back(
                register_module(fmt::format("layer{}", stages_.size() + 1), residual_stage(stage)));
        }
    }

    std::vector<MapShape> maps() const override { return maps_; }

    FeatureMaps forward(torch::Tensor image) override {
        const bool ceil = dilation_ == Dilation::deeplab;
        // The same bits as pooling after ReLU, with a quarter of the memory to read and write.
        auto x = torch::max_pool2d(norm_(conv_(image)), 3, 2, 1, 1, ceil).relu_();
        FeatureMaps maps;
        for (auto& stage : stages_) maps.push_back(x = stage->forward(x));
        return maps;
    }

    void initialise(uint64_t seed, uint64_t& position) override {
        if (dilation_ == Dilation::deeplab)
            initialise_layers(*this, WeightDistribution::narrow_normal, seed, position);
        else
            Backbone::initialise(seed, position);
    }

    /// AdaShare's: "blocks.<stage>.<block>..." and "ds.<stage>...", counted from 0.
    std::string released_name(const std::string& name) const override {
        if (dilation_ != Dilation::deeplab || !name.starts_with("layer")) return name;
        const size_t stage_end = name.find('.'), block_end = name.find('.', stage_end + 1);
        const auto stage = std::to_string(std::stoll(name.substr(5)) - 1), rest = name.substr(block_end);
        const std::string downsample = ".downsample";
        if (rest.starts_with(downsample)) return "ds." + stage + rest.substr(downsample.size());
        return "blocks." + stage + name.substr(stage_end, block_end - stage_end) + rest;
    }

  private:
    Dilation dilation_;
    Conv2d conv_{nullptr};
    torch::nn::BatchNorm2d norm_{nullptr};
    std::vector<torch::nn::Sequential> stages_;
    std::vector<MapShape> maps_;
};

int64_t output_stride(const std::string& key, const nlohmann::json& options) {
    const auto stride = options.at("output_stride").get<int64_t>();
    if (stride != 8 && stride != 16 && stride != 32)
        throw Error("backbone " + key, "output_stride", "8, 16 or 32", std::to_string(stride));
    if (!options.at("dilated").get<bool>()) return stride;
    if (stride == 16) throw Error("backbone " + key, "output_stride", "8, which dilated means", "16");
    return 8;
}

Registry<Backbone>::Entry resnet(const std::string& key, const std::vector<int64_t>& blocks,
                                 bool bottleneck) {
    return {{.key = key,
             .summary = fmt::format("ResNet-{} of ImageNet; its four stages' maps, no classifier",
                                    key.substr(std::string("resnet").size())),
             .paper = "He et al., CVPR 2016; dilated: Chen et al., DeepLab-v3, 2017",
             .options = {{"width", 1.0, "factor on the channels of all layers"},
                         {"output_stride", 32, "32, 16 or 8; less than 32: dilations replace strides"},
                         {"dilated", false, "short for output_stride=8"}}},
            [key, blocks, bottleneck](const nlohmann::json& options) {
                return std::make_unique<ResNet>(ResNetConfig{
                    blocks, bottleneck, options.at("width").get<double>(), output_stride(key, options)});
            }};
}

std::vector<UnbiasedConvolution> block_convolutions(const ResidualStage& stage) {
    if (!stage.bottleneck)
        return {{stage.in, stage.channels, 3, stage.stride, stage.first_dilation},
                {stage.channels, stage.channels, 3, 1, stage.dilation}};
    return {{stage.in, stage.channels, 1},
            {stage.channels, stage.channels, 3, stage.stride, stage.first_dilation},
            {stage.channels, stage.out(), 1}};
}

}  // namespace

ResidualBlock::ResidualBlock(const std::vector<UnbiasedConvolution>& convolutions, Shortcut shortcut) {
    for (const auto& shape : convolutions) {
        const auto number = convolutions_.size() + 1;
        convolutions_.push_back(register_module(fmt::format("conv{}", number), unbiased_convolution(shape)));
        norms_.push_back(register_module(fmt::format("bn{}", number), torch::nn::BatchNorm2d(shape.out)));
        stride_ *= shape.stride;
    }
    const int64_t in = convolutions.front().in, out = convolutions.back().out;
    if (shortcut == Shortcut::projection)
        downsample_ = register_module(
            "downsample",
            torch::nn::Sequential(unbiased_convolution({in, out, 1, stride_}), torch::nn::BatchNorm2d(out)));
    if (shortcut == Shortcut::zeros) {
        zeros_ = (out - in) / 2;
        more_zeros_ = out - in - zeros_;
    }
}

torch::Tensor ResidualBlock::shortcut(const torch::Tensor& x) {
    if (downsample_) return downsample_->forward(x);
    if (stride_ == 1 && zeros_ + more_zeros_ == 0) return x;
    const auto strided = x.slice(2, 0, c10::nullopt, stride_).slice(3, 0, c10::nullopt, stride_);
    return torch::constant_pad_nd(strided, {0, 0, 0, 0, zeros_, more_zeros_});
}

torch::Tensor ResidualBlock::forward(const torch::Tensor& x) {
    auto y = x;
    for (size_t i = 0; i < convolutions_.size(); ++i) {
        if (i > 0) y.relu_();
        y = norms_[i](convolutions_[i](y));
    }
    return y.add_(shortcut(x)).relu_();
}

torch::nn::Sequential residual_stage(const ResidualStage& stage) {
    torch::nn::Sequential blocks;
    blocks->push_back(std::make_shared<ResidualBlock>(block_convolutions(stage), stage.shortcut));
    ResidualStage rest = stage;
    rest.in = stage.out();
    rest.stride = 1;
    rest.first_dilation = stage.dilation;
    for (int64_t i = 1; i < stage.blocks; ++i)
        blocks->push_back(std::make_shared<ResidualBlock>(block_convolutions(rest), Shortcut::identity));
    return blocks;
}

Registry<Backbone>::Entry resnet18_backbone() {
    return resnet("resnet18", {2, 2, 2, 2}, /*bottleneck=*/false);
}

Registry<Backbone>::Entry resnet34_backbone() {
    return resnet("resnet34", {3, 4, 6, 3}, /*bottleneck=*/false);
}

Registry<Backbone>::Entry resnet50_backbone() {
    return resnet("resnet50", {3, 4, 6, 3}, /*bottleneck=*/true);
}

Registry<Backbone>::Entry deeplab_resnet34_backbone() {
    return {
        {.key = "deeplab_resnet34",
         .summary = "dilated ResNet-34, output stride 8, as multi-task code has it; mostly with head aspp",
         .paper = "Sun et al., AdaShare, NeurIPS 2020; Sun et al., DiSparse, CVPR 2022",
         .options = {{"width", 1.0, "factor on the channels of all layers"}}},
        [](const nlohmann::json& options) {
            return std::make_unique<ResNet>(
                ResNetConfig{{3, 4, 6, 3}, false, options.at("width").get<double>(), 8, Dilation::deeplab});
        }};
}

}  // namespace mtlprune
