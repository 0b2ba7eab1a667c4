// ConvNeXt-T (Liu et al., A ConvNet for the 2020s, CVPR 2022). Names are torchvision's (convnext_tiny).
#include <fmt/format.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

#include <algorithm>

#include "models/backbones/backbone.h"
#include "models/layers/conv2d.h"
#include "models/layers/dropout.h"

namespace mtlprune {
namespace {

using NormOptions = torch::nn::LayerNormOptions;

NormOptions convnext_norm(int64_t channels) {
    return NormOptions({channels}).eps(1e-6);
}

/// Over the channels of a map [B,C,h,w].
struct MapLayerNormImpl : torch::nn::LayerNormImpl {
    using torch::nn::LayerNormImpl::LayerNormImpl;
    torch::Tensor forward(const torch::Tensor& x) {
        return torch::nn::LayerNormImpl::forward(x.permute({0, 2, 3, 1})).permute({0, 3, 1, 2});
    }
};
TORCH_MODULE(MapLayerNorm);

struct ConvNextOptions {
    std::vector<int64_t> channels, depths;
    double layer_scale, drop_path;
};

/// x + layer_scale * MLP(norm(depthwise 7x7(x))), the branch left out for a sample with probability `drop`.
struct ConvNextBlockImpl : torch::nn::Module {
    ConvNextBlockImpl(int64_t channels, double scale, double drop);
    torch::Tensor forward(const torch::Tensor& x);
    torch::Tensor layer_scale;
    Conv2d depthwise{nullptr};
    torch::nn::LayerNorm norm{nullptr};
    torch::nn::Linear widen{nullptr}, narrow{nullptr};
    Dropout drop_path{nullptr};
    double initial_scale;
};
TORCH_MODULE(ConvNextBlock);

ConvNextBlockImpl::ConvNextBlockImpl(int64_t channels, double scale, double drop)
    : layer_scale(register_parameter("layer_scale", torch::full({channels, 1, 1}, scale))),
      initial_scale(scale) {
    auto block = register_module("block", std::make_shared<torch::nn::Module>());
    depthwise = block->register_module(
        "0", Conv2d(torch::nn::Conv2dOptions(channels, channels, 7).padding(3).groups(channels)));
    norm = block->register_module("2", torch::nn::LayerNorm(convnext_norm(channels)));
    widen = block->register_module("3", torch::nn::Linear(channels, 4 * channels));
    narrow = block->register_module("5", torch::nn::Linear(4 * channels, channels));
    if (drop > 0) drop_path = register_module("stochastic_depth", Dropout(drop));
}

torch::Tensor ConvNextBlockImpl::forward(const torch::Tensor& x) {
    auto branch = narrow(torch::gelu(widen(norm(depthwise(x).permute({0, 2, 3, 1})))));
    branch = layer_scale * branch.permute({0, 3, 1, 2});
    if (drop_path && is_training())
        branch = branch * drop_path(torch::ones({x.size(0), 1, 1, 1}, x.options()));
    return x + branch;
}

struct ConvNext : Backbone {
    explicit ConvNext(const ConvNextOptions& options);
    std::vector<MapShape> maps() const override;
    FeatureMaps forward(torch::Tensor image) override;
    /// Weights normal with deviation 0.02, biases 0, layer scales as the options say.
    void initialise(uint64_t seed, uint64_t& position) override;

  private:
    struct Stage {
        MapLayerNorm norm{nullptr};  ///< after the convolution of the first stage, before that of the others
        Conv2d halve{nullptr};
        std::vector<ConvNextBlock> blocks;
    };
    torch::Tensor enter(Stage& stage, const torch::Tensor& x);
    std::vector<Stage> stages_;
    ConvNextOptions options_;
};

ConvNext::ConvNext(const ConvNextOptions& options) : options_(options) {
    auto features = register_module("features", std::make_shared<torch::nn::Module>());
    int64_t total = 0, number = 0;
    for (const int64_t depth : options.depths) total += depth;
    for (size_t s = 0; s < options.depths.size(); ++s) {
        const int64_t c = options.channels[s], in = s == 0 ? 3 : options.channels[s - 1],
                      kernel = s == 0 ? 4 : 2;
        auto entry = features->register_module(std::to_string(2 * s), std::make_shared<torch::nn::Module>());
        auto blocks =
            features->register_module(std::to_string(2 * s + 1), std::make_shared<torch::nn::Module>());
        Stage stage;
        stage.halve = entry->register_module(s == 0 ? "0" : "1",
                                             Conv2d(torch::nn::Conv2dOptions(in, c, kernel).stride(kernel)));
        stage.norm = entry->register_module(s == 0 ? "1" : "0", MapLayerNorm(convnext_norm(s == 0 ? c : in)));
        for (int64_t i = 0; i < options.depths[s]; ++i, ++number) {
            const double drop = options.drop_path * static_cast<double>(number) /
                                static_cast<double>(std::max<int64_t>(1, total - 1));
            stage.blocks.push_back(
                blocks->register_module(std::to_string(i), ConvNextBlock(c, options.layer_scale, drop)));
        }
        stages_.push_back(stage);
    }
}

std::vector<MapShape> ConvNext::maps() const {
    std::vector<MapShape> maps;
    int64_t stride = 4;
    for (const int64_t channels : options_.channels) {
        maps.push_back({channels, stride});
        stride *= 2;
    }
    return maps;
}

torch::Tensor ConvNext::enter(Stage& stage, const torch::Tensor& x) {
    const bool is_first = &stage == &stages_.front();
    return is_first ? stage.norm(stage.halve(x)) : stage.halve(stage.norm(x));
}

FeatureMaps ConvNext::forward(torch::Tensor image) {
    FeatureMaps maps;
    auto x = std::move(image);
    for (auto& stage : stages_) {
        x = enter(stage, x);
        for (auto& block : stage.blocks) x = block(x);
        maps.push_back(x);
    }
    return maps;
}

void ConvNext::initialise(uint64_t seed, uint64_t& position) {
    const auto own = [&](const std::string& name, const torch::Tensor& parameter, at::Generator generator) {
        const auto value = torch::empty(parameter.sizes(), parameter.options().device(torch::kCPU));
        if (name.ends_with("layer_scale")) return value.fill_(options_.layer_scale);
        if (parameter.dim() > 1) return value.normal_(0.0, 0.02, std::move(generator));
        return torch::Tensor();
    };
    initialise_layers(*this, WeightDistribution::kaiming_fan_out, seed, position, own);
}

ConvNextOptions convnext_options(const nlohmann::json& given) {
    ConvNextOptions options{.channels = {},
                            .depths = given.at("depths").get<std::vector<int64_t>>(),
                            .layer_scale = given.at("layer_scale").get<double>(),
                            .drop_path = given.at("drop_path").get<double>()};
    for (const int64_t full : {96, 192, 384, 768})
        options.channels.push_back(scaled_channels(full, given.at("width").get<double>()));
    if (options.depths.size() != 4 || *std::min_element(options.depths.begin(), options.depths.end()) < 1)
        throw Error("backbone convnext_t", "depths", "four numbers of at least 1", given.at("depths").dump());
    if (options.drop_path < 0 || options.drop_path >= 1)
        throw Error("backbone convnext_t", "drop_path", "a number in [0, 1)",
                    fmt::format("{}", options.drop_path));
    return options;
}

}  // namespace

Registry<Backbone>::Entry convnext_t_backbone() {
    return {
        {.key = "convnext_t",
         .summary = "ConvNeXt-T without its classifier; the maps of its four stages",
         .paper = "Liu et al., A ConvNet for the 2020s, CVPR 2022",
         .options = {{"width", 1.0, "factor on the channels of all layers"},
                     {"depths", {3, 3, 9, 3}, "blocks of each stage"},
                     {"layer_scale", 1e-6, "that every block starts with"},
                     {"drop_path", 0.0,
                      "probability to leave out the last block of a sample; earlier ones in "
                      "proportion to their depth"}}},
        [](const nlohmann::json& options) { return std::make_unique<ConvNext>(convnext_options(options)); }};
}

}  // namespace mtlprune
