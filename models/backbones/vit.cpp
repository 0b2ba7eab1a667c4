// ViT-S/16 (Dosovitskiy et al., ICLR 2021; the small size is DeiT's, Touvron et al., ICML 2021). Names are
// those of torchvision's VisionTransformer.
#include <fmt/format.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

#include <cmath>

#include "models/backbones/backbone.h"
#include "models/layers/conv2d.h"

namespace mtlprune {
namespace {

constexpr int64_t kPatch = 16;

struct VitOptions {
    int64_t channels, depth, heads, image;
};

torch::nn::LayerNorm vit_norm(int64_t channels) {
    return torch::nn::LayerNorm(torch::nn::LayerNormOptions({channels}).eps(1e-6));
}

/// Every token attends to all; tokens [B,N,C].
struct SelfAttentionImpl : torch::nn::Module {
    SelfAttentionImpl(int64_t channels, int64_t heads);
    torch::Tensor forward(const torch::Tensor& tokens);
    torch::Tensor in_proj_weight, in_proj_bias;
    torch::nn::Linear out_proj;
    torch::Tensor head_gates;  ///< ones [heads]: says how many heads there are when some were pruned
    double scale;  ///< of the width as it was built: pruned channels of queries and keys are zeros left out
};
TORCH_MODULE(SelfAttention);

SelfAttentionImpl::SelfAttentionImpl(int64_t channels, int64_t heads)
    : in_proj_weight(register_parameter("in_proj_weight", torch::zeros({3 * channels, channels}))),
      in_proj_bias(register_parameter("in_proj_bias", torch::zeros({3 * channels}))),
      out_proj(register_module("out_proj", torch::nn::Linear(channels, channels))),
      head_gates(register_buffer("head_gates", torch::ones({heads}))),
      scale(1.0 / std::sqrt(static_cast<double>(channels) / static_cast<double>(heads))) {}

torch::Tensor SelfAttentionImpl::forward(const torch::Tensor& tokens) {
    const auto all = torch::linear(tokens, in_proj_weight, in_proj_bias);
    // No sizes of the batch, which a trace would hold.
    const auto parts = all.unflatten(2, {3, head_gates.size(0), -1}).permute({2, 0, 3, 1, 4}).unbind(0);
    const auto weights = torch::softmax(torch::matmul(parts[0] * scale, parts[1].transpose(-2, -1)), -1);
    const auto mixed = torch::matmul(weights, parts[2]) * head_gates.view({-1, 1, 1});
    return out_proj(mixed.transpose(1, 2).flatten(2));
}

/// x + attention(norm(x)), then x + MLP(norm(x)).
struct EncoderLayerImpl : torch::nn::Module {
    EncoderLayerImpl(int64_t channels, int64_t heads);
    torch::Tensor forward(const torch::Tensor& tokens);
    torch::nn::LayerNorm ln_1;
    SelfAttention attention;
    torch::nn::LayerNorm ln_2;
    torch::nn::Linear widen{nullptr}, narrow{nullptr};
};
TORCH_MODULE(EncoderLayer);

EncoderLayerImpl::EncoderLayerImpl(int64_t channels, int64_t heads)
    : ln_1(register_module("ln_1", vit_norm(channels))),
      attention(register_module("self_attention", SelfAttention(channels, heads))),
      ln_2(register_module("ln_2", vit_norm(channels))) {
    auto mlp = register_module("mlp", std::make_shared<torch::nn::Module>());
    widen = mlp->register_module("0", torch::nn::Linear(channels, 4 * channels));
    narrow = mlp->register_module("3", torch::nn::Linear(4 * channels, channels));
}

torch::Tensor EncoderLayerImpl::forward(const torch::Tensor& tokens) {
    const auto x = tokens + attention(ln_1(tokens));
    return x + narrow(torch::gelu(widen(ln_2(x))));
}

struct Vit : Backbone {
    explicit Vit(const VitOptions& options);
    std::vector<MapShape> maps() const override;
    FeatureMaps forward(torch::Tensor image) override;
    /// Weights and the position code normal with deviation 0.02, biases and the class token 0.
    void initialise(uint64_t seed, uint64_t& position) override;
    std::string released_name(const std::string& name) const override {
        return name.ends_with("head_gates") ? "" : name;
    }

    torch::Tensor class_token, pos_embedding;
    Conv2d conv_proj;
    std::vector<EncoderLayer> layers;
    torch::nn::LayerNorm norm{nullptr};

  private:
    /// Of the class token and height * width patches.
    torch::Tensor positions(int64_t height, int64_t width) const;
    VitOptions options_;
};

Vit::Vit(const VitOptions& options)
    : class_token(register_parameter("class_token", torch::zeros({1, 1, options.channels}))),
      conv_proj(register_module(
          "conv_proj", Conv2d(torch::nn::Conv2dOptions(3, options.channels, kPatch).stride(kPatch)))),
      options_(options) {
    auto encoder = register_module("encoder", std::make_shared<torch::nn::Module>());
    const int64_t grid = options.image / kPatch;
    pos_embedding =
        encoder->register_parameter("pos_embedding", torch::zeros({1, grid * grid + 1, options.channels}));
    auto container = encoder->register_module("layers", std::make_shared<torch::nn::Module>());
    for (int64_t i = 0; i < options.depth; ++i)
        layers.push_back(container->register_module(fmt::format("encoder_layer_{}", i),
                                                    EncoderLayer(options.channels, options.heads)));
    norm = encoder->register_module("ln", vit_norm(options.channels));
}

std::vector<MapShape> Vit::maps() const {
    return std::vector<MapShape>(4, {options_.channels, kPatch});
}

torch::Tensor Vit::positions(int64_t height, int64_t width) const {
    const int64_t grid = options_.image / kPatch;
    if (height == grid && width == grid) return pos_embedding;
    const auto patches = pos_embedding.slice(1, 1).transpose(1, 2).unflatten(2, {grid, grid});
    const auto resized = torch::upsample_bicubic2d(patches, {height, width}, /*align_corners=*/false);
    return torch::cat({pos_embedding.slice(1, 0, 1), resized.flatten(2).transpose(1, 2)}, 1);
}

FeatureMaps Vit::forward(torch::Tensor image) {
    const auto patches = conv_proj(image);
    const int64_t height = patches.size(2), width = patches.size(3);
    const auto tokens = patches.flatten(2).transpose(1, 2);
    auto x = torch::cat({class_token.expand_as(tokens.slice(1, 0, 1)), tokens}, 1) + positions(height, width);
    FeatureMaps maps;
    for (size_t i = 0; i < layers.size(); ++i) {
        x = layers[i](x);
        if ((i + 1) % (layers.size() / 4) != 0) continue;
        const auto map = i + 1 == layers.size() ? norm(x) : x;
        maps.push_back(map.slice(1, 1).transpose(1, 2).unflatten(2, {height, width}));
    }
    return maps;
}

void Vit::initialise(uint64_t seed, uint64_t& position) {
    const auto own = [](const std::string& name, const torch::Tensor& parameter, at::Generator generator) {
        const auto value = torch::zeros(parameter.sizes(), parameter.options().device(torch::kCPU));
        if (name == "class_token" || name.ends_with("in_proj_bias")) return value;
        if (parameter.dim() > 1) return value.normal_(0.0, 0.02, std::move(generator));
        return torch::Tensor();
    };
    initialise_layers(*this, WeightDistribution::kaiming_fan_out, seed, position, own);
    for (auto& layer : layers) layer->attention->head_gates.fill_(1.0);
}

VitOptions vit_options(const nlohmann::json& given) {
    const VitOptions options{.channels = scaled_channels(384, given.at("width").get<double>()),
                             .depth = given.at("depth").get<int64_t>(),
                             .heads = given.at("heads").get<int64_t>(),
                             .image = given.at("image").get<int64_t>()};
    if (options.depth < 4 || options.depth % 4 != 0)
        throw Error("backbone vit_s16", "depth", "a multiple of 4", std::to_string(options.depth));
    if (options.heads < 1 || options.channels % options.heads != 0)
        throw Error("backbone vit_s16", "heads",
                    fmt::format("a divisor of the {} channels", options.channels),
                    std::to_string(options.heads));
    if (options.image < kPatch || options.image % kPatch != 0)
        throw Error("backbone vit_s16", "image", fmt::format("a multiple of {}", kPatch),
                    std::to_string(options.image));
    return options;
}

}  // namespace

Registry<Backbone>::Entry vit_s16_backbone() {
    return {
        {.key = "vit_s16",
         .summary = "ViT-S/16 without its classifier; patch tokens after each quarter of the blocks as maps",
         .paper = "Dosovitskiy et al., ICLR 2021; small: Touvron et al., DeiT, ICML 2021",
         .options = {{"width", 1.0, "factor on the channels of all layers"},
                     {"depth", 12, "blocks"},
                     {"heads", 6, "of every attention"},
                     {"image", 224,
                      "side of the images that the position code is made for; it is "
                      "interpolated to others"}}},
        [](const nlohmann::json& options) { return std::make_unique<Vit>(vit_options(options)); }};
}

}  // namespace mtlprune
