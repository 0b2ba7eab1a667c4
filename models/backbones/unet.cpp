// U-Net (Ronneberger, Fischer, Brox, MICCAI 2015) with padded convolutions, so that maps keep their size.
#include "models/backbones/backbone.h"

#include <fmt/format.h>
#include <torch/nn/modules/conv.h>

#include "models/layers/conv_norm_relu.h"

namespace mtlprune {
namespace {

/// Levels are numbered from the finest; level l has base * 2^l channels.
struct UNet : Backbone {
    UNet(int64_t base, int64_t levels, bool batch_norm);
    std::vector<MapShape> maps() const override;
    FeatureMaps forward(torch::Tensor image) override;

    std::vector<std::vector<ConvNormRelu>> encoder, decoder;  ///< the encoder's last is the bottom
    std::vector<torch::nn::ConvTranspose2d> up;

  private:
    int64_t base_;
};

UNet::UNet(int64_t base, int64_t levels, bool batch_norm) : base_(base) {
    auto encoders = register_module("encoder", std::make_shared<torch::nn::Module>());
    auto ups = register_module("up", std::make_shared<torch::nn::Module>());
    auto decoders = register_module("decoder", std::make_shared<torch::nn::Module>());
    for (int64_t l = 0; l <= levels; ++l) {
        const int64_t c = base << l;
        encoder.push_back(register_convolutions(*encoders, std::to_string(l), {l == 0 ? 3 : c / 2, c, c},
                                                !batch_norm, batch_norm));
        if (l == levels) break;
        up.push_back(ups->register_module(
            std::to_string(l),
            torch::nn::ConvTranspose2d(torch::nn::ConvTranspose2dOptions(2 * c, c, 2).stride(2))));
        decoder.push_back(
            register_convolutions(*decoders, std::to_string(l), {2 * c, c, c}, !batch_norm, batch_norm));
    }
}

std::vector<MapShape> UNet::maps() const {
    std::vector<MapShape> maps;
    for (size_t l = encoder.size(); l-- > 0;) maps.push_back({base_ << l, int64_t{1} << l});
    return maps;
}

FeatureMaps UNet::forward(torch::Tensor image) {
    const int64_t stride = int64_t{1} << up.size();
    if (image.size(2) % stride != 0 || image.size(3) % stride != 0)
        throw Error("backbone unet", "image",
                    fmt::format("height and width that are multiples of {}", stride),
                    fmt::format("{}x{}", image.size(2), image.size(3)));
    std::vector<torch::Tensor> skips;
    auto x = run(encoder[0], std::move(image));
    for (size_t l = 1; l < encoder.size(); ++l) {
        skips.push_back(x);
        x = run(encoder[l], torch::max_pool2d(x, 2, 2));
    }
    FeatureMaps maps = {x};
    for (size_t l = up.size(); l-- > 0;) {
        x = run(decoder[l], torch::cat({skips[l], up[l](x)}, 1));
        maps.push_back(x);
    }
    return maps;
}

}  // namespace

Registry<Backbone>::Entry unet_backbone() {
    return {{.key = "unet",
             .summary = "U-Net; the maps of its decoder, the full-size one last",
             .paper = "Ronneberger, Fischer, Brox, U-Net, MICCAI 2015",
             .options = {{"base", 32, "channels at full size; each coarser level has twice as many"},
                         {"levels", 4, "how often maps are halved"},
                         {"batch_norm", true, "after every convolution, which then has no bias"}}},
            [](const nlohmann::json& options) {
                const auto base = options.at("base").get<int64_t>(),
                           levels = options.at("levels").get<int64_t>();
                if (base < 1) throw Error("backbone unet", "base", "at least 1", std::to_string(base));
                if (levels < 1 || levels > 6)
                    throw Error("backbone unet", "levels", "1..6", std::to_string(levels));
                return std::make_unique<UNet>(base, levels, options.at("batch_norm").get<bool>());
            }};
}

}  // namespace mtlprune
