// The SegNet of MTAN (Liu, Johns, Davison, CVPR 2019), im2im_pred/model_segnet_mtan.py of its released code:
// fewer convolutions in the decoder than Badrinarayanan et al. have, and the last gives features.
#include "models/backbones/segnet.h"

#include "models/backbones/backbone.h"
#include "models/layers/conv_norm_relu.h"

namespace mtlprune {
namespace {

using Filters = std::vector<int64_t>;

/// Those after a stage's first: one in the two finest stages, two in the others.
using FurtherConvolutions = std::vector<std::vector<ConvNormRelu>>;

struct SegNet : Backbone {
    explicit SegNet(Filters filters);
    std::vector<MapShape> maps() const override;
    FeatureMaps forward(torch::Tensor image) override;

    std::vector<ConvNormRelu> encoder_block, decoder_block;
    FurtherConvolutions conv_block_enc, conv_block_dec;

  private:
    int64_t decoded(size_t stage) const { return filters_[stage == 0 ? 0 : stage - 1]; }
    FurtherConvolutions further(const std::string& name, const Filters& channels);
    Filters filters_;
};

template <typename Block>
Block numbered(torch::nn::Module& container, size_t number, Block block) {
    return container.register_module(std::to_string(number), std::move(block));
}

SegNet::SegNet(Filters filters) : filters_(std::move(filters)) {
    auto encoders = register_module("encoder_block", std::make_shared<torch::nn::Module>());
    auto decoders = register_module("decoder_block", std::make_shared<torch::nn::Module>());
    Filters decoder_filters;
    for (size_t i = 0; i < kSegNetStages; ++i) {
        const int64_t in = i == 0 ? 3 : filters_[i - 1];
        encoder_block.push_back(numbered(*encoders, i, ConvNormRelu(in, filters_[i])));
        decoder_block.push_back(numbered(*decoders, i, ConvNormRelu(filters_[i], decoded(i))));
        decoder_filters.push_back(decoded(i));
    }
    conv_block_enc = further("conv_block_enc", filters_);
    conv_block_dec = further("conv_block_dec", decoder_filters);
}

FurtherConvolutions SegNet::further(const std::string& name, const Filters& channels) {
    auto container = register_module(name, std::make_shared<torch::nn::Module>());
    FurtherConvolutions all;
    for (size_t i = 0; i < channels.size(); ++i) {
        const int64_t c = channels[i];
        if (i < 2)
            all.push_back({numbered(*container, i, ConvNormRelu(c, c))});
        else
            all.push_back(register_convolutions(*container, std::to_string(i), {c, c, c}));
    }
    return all;
}

std::vector<MapShape> SegNet::maps() const {
    std::vector<MapShape> maps;
    for (size_t i = 0; i < kSegNetStages; ++i) {
        const int64_t stride = int64_t{1} << i;
        maps.insert(maps.end(), {{filters_[i], stride}, {filters_[i], stride}, {filters_[i], 2 * stride}});
    }
    for (size_t i = kSegNetStages; i-- > 0;) {
        const int64_t stride = int64_t{1} << i;
        maps.insert(maps.end(), {{filters_[i], stride}, {decoded(i), stride}, {decoded(i), stride}});
    }
    return maps;
}

FeatureMaps SegNet::forward(torch::Tensor image) {
    FeatureMaps maps;
    auto x = std::move(image);
    std::vector<torch::Tensor> places;
    for (size_t i = 0; i < kSegNetStages; ++i) {
        maps.push_back(encoder_block[i](x));
        maps.push_back(run(conv_block_enc[i], maps.back()));
        auto [pooled, place] = torch::max_pool2d_with_indices(maps.back(), 2, 2);
        places.push_back(place);
        maps.push_back(x = pooled);
    }
    for (size_t i = kSegNetStages; i-- > 0;) {
        const auto& fine = maps[SegNetEncoderMaps(i).last];
        maps.push_back(torch::max_unpool2d(x, places[i], {fine.size(2), fine.size(3)}));
        maps.push_back(decoder_block[i](maps.back()));
        maps.push_back(x = run(conv_block_dec[i], maps.back()));
    }
    return maps;
}

}  // namespace

Registry<Backbone>::Entry segnet_backbone() {
    return {{.key = "segnet",
             .summary = "encoder and decoder with pooling indices; all its maps, the full-size one last",
             .paper = "Badrinarayanan et al., SegNet, TPAMI 2017, as in Liu et al., MTAN, CVPR 2019",
             .options = {{"width", 1.0, "factor on the channels of all layers"}}},
            [](const nlohmann::json& options) {
                Filters filters;
                for (const int64_t full : {64, 128, 256, 512, 512})
                    filters.push_back(scaled_channels(full, options.at("width").get<double>()));
                return std::make_unique<SegNet>(filters);
            }};
}

}  // namespace mtlprune
