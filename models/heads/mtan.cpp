// MTAN's task attention network (Liu, Johns, Davison, CVPR 2019), im2im_pred/model_segnet_mtan.py of its
// released code. There the convolutions between attention modules (encoder_block_att, decoder_block_att) are
// shared by all tasks; here each task has its own.
#include <fmt/format.h>

#include "models/backbones/segnet.h"
#include "models/heads/map_task.h"
#include "models/layers/conv_norm_relu.h"

namespace mtlprune {
namespace {

/// conv1x1 - batch norm - ReLU - conv1x1 - batch norm - sigmoid
struct AttentionModuleImpl : torch::nn::Module {
    AttentionModuleImpl(int64_t in_channels, int64_t out_channels);
    torch::Tensor forward(const torch::Tensor& x);
    Conv2d conv1, conv2;
    torch::nn::BatchNorm2d norm1, norm2;
};
TORCH_MODULE(AttentionModule);

AttentionModuleImpl::AttentionModuleImpl(int64_t in_channels, int64_t out_channels)
    : conv1(register_module("0", same_convolution(in_channels, out_channels, 1))),
      conv2(register_module("3", same_convolution(out_channels, out_channels, 1))),
      norm1(register_module("1", torch::nn::BatchNorm2d(out_channels))),
      norm2(register_module("4", torch::nn::BatchNorm2d(out_channels))) {}

torch::Tensor AttentionModuleImpl::forward(const torch::Tensor& x) {
    return torch::sigmoid(norm2(conv2(torch::relu(norm1(conv1(x))))));
}

/// Stages of both halves are numbered from the finest, as in the released code.
struct Mtan : Head {
    Mtan(const std::vector<MapShape>& maps, int64_t out_channels);
    torch::Tensor forward(const FeatureMaps& features) override;

    std::vector<AttentionModule> encoder_att, decoder_att;
    std::vector<ConvNormRelu> encoder_block_att, decoder_block_att;
    Conv2d pred1{nullptr}, pred2{nullptr};

  private:
    torch::Tensor encode(const FeatureMaps& features);
};

Mtan::Mtan(const std::vector<MapShape>& maps, int64_t out_channels) {
    const auto list = [&](const std::string& name) {
        return register_module(name, std::make_shared<torch::nn::Module>());
    };
    auto encoder_atts = list("encoder_att"), decoder_atts = list("decoder_att"),
         encoder_blocks = list("encoder_block_att"), decoder_blocks = list("decoder_block_att");
    int64_t before = 0;  // channels that the finer stage's block gives
    for (size_t i = 0; i < kSegNetStages; ++i) {
        const auto number = std::to_string(i);
        const SegNetDecoderMaps decoder(kSegNetStages - 1 - i);
        const int64_t wide = maps[SegNetEncoderMaps(i).last].channels, narrow = maps[decoder.last].channels;
        const int64_t next = maps[SegNetEncoderMaps(std::min(i + 1, kSegNetStages - 1)).last].channels;
        encoder_att.push_back(encoder_atts->register_module(number, AttentionModule(wide + before, wide)));
        encoder_block_att.push_back(encoder_blocks->register_module(number, ConvNormRelu(wide, next)));
        decoder_att.push_back(decoder_atts->register_module(number, AttentionModule(wide + narrow, narrow)));
        decoder_block_att.push_back(decoder_blocks->register_module(number, ConvNormRelu(wide, narrow)));
        before = next;
    }
    const int64_t last = maps.back().channels;
    auto pred = list("pred");
    pred1 = pred->register_module("0", same_convolution(last, last, 3));
    pred2 = pred->register_module("1", same_convolution(last, out_channels, 1));
}

torch::Tensor Mtan::encode(const FeatureMaps& features) {
    torch::Tensor x;
    for (size_t i = 0; i < kSegNetStages; ++i) {
        const SegNetEncoderMaps maps(i);
        const auto& first = features[maps.first];
        const auto gate = encoder_att[i](x.defined() ? torch::cat({first, x}, 1) : first);
        x = torch::max_pool2d(encoder_block_att[i](gate * features[maps.last]), 2, 2);
    }
    return x;
}

torch::Tensor Mtan::forward(const FeatureMaps& features) {
    auto x = encode(features);
    for (size_t stage = 0; stage < kSegNetStages; ++stage) {
        const size_t i = kSegNetStages - 1 - stage;
        const SegNetDecoderMaps maps(stage);
        const auto& unpooled = features[maps.unpooled];
        x = decoder_block_att[i](resized_like(x, unpooled, /*align_corners=*/true));
        x = decoder_att[i](torch::cat({unpooled, x}, 1)) * features[maps.last];
    }
    return pred2(pred1(x));
}

/// Throws Error for the maps of other backbones.
void require_segnet_maps(const std::vector<MapShape>& maps) {
    const auto is_segnet = [&] {
        if (maps.size() != 6 * kSegNetStages) return false;
        for (size_t i = 0; i < kSegNetStages; ++i) {
            const SegNetEncoderMaps encoder(i);
            const SegNetDecoderMaps decoder(kSegNetStages - 1 - i);
            const int64_t stride = int64_t{1} << i;
            for (const size_t map :
                 {encoder.first, encoder.last, decoder.unpooled, decoder.first, decoder.last})
                if (maps[map].stride != stride) return false;
            if (maps[encoder.first].channels != maps[encoder.last].channels) return false;
        }
        return true;
    };
    if (!is_segnet())
        throw Error("head mtan", "maps", "those of the backbone segnet",
                    fmt::format("{} others", maps.size()));
}

}  // namespace

HeadRegistry::Entry mtan_head() {
    return {
        {.key = "mtan",
         .summary =
             "attention to the maps of segnet, no layer of it shared by tasks; predicts at the image's size",
         .paper = "Liu, Johns, Davison, MTAN, CVPR 2019"},
        [](const nlohmann::json&, const std::vector<MapShape>& maps, const TaskSpec& task) {
            require_map_task("mtan", task);
            require_segnet_maps(maps);
            return std::make_unique<Mtan>(maps, task.channels);
        }};
}

}  // namespace mtlprune
