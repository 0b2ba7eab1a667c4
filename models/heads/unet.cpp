// The decoder of U-Net (Ronneberger, Fischer, Brox, MICCAI 2015) with bilinear enlargement, on the maps of
// any backbone that has several sizes.
#include <fmt/format.h>

#include <functional>
#include <map>

#include "models/heads/map_task.h"
#include "models/layers/conv_norm_relu.h"

namespace mtlprune {
namespace {

/// The last map of every size, coarsest first.
std::vector<size_t> one_map_per_size(const std::vector<MapShape>& maps) {
    std::map<int64_t, size_t, std::greater<>> last;
    for (size_t i = 0; i < maps.size(); ++i) last[maps[i].stride] = i;
    std::vector<size_t> numbers;
    for (const auto& [stride, number] : last) numbers.push_back(number);
    return numbers;
}

struct UNetHead : Head {
    UNetHead(const std::vector<MapShape>& maps, int64_t hidden, int64_t out_channels);
    torch::Tensor forward(const FeatureMaps& features) override;
    std::vector<std::vector<ConvNormRelu>> blocks;
    Conv2d pred{nullptr};

  private:
    std::vector<size_t> numbers_;
};

UNetHead::UNetHead(const std::vector<MapShape>& maps, int64_t hidden, int64_t out_channels)
    : numbers_(one_map_per_size(maps)) {
    if (hidden < 1) throw Error("head unet", "hidden", "at least 1", std::to_string(hidden));
    if (numbers_.size() < 2)
        throw Error("head unet", "maps", "maps of at least two sizes", fmt::format("{}", numbers_.size()));
    auto container = register_module("blocks", std::make_shared<torch::nn::Module>());
    int64_t in = maps[numbers_[0]].channels;
    for (size_t i = 1; i < numbers_.size(); ++i) {
        blocks.push_back(register_convolutions(*container, std::to_string(i - 1),
                                               {in + maps[numbers_[i]].channels, hidden, hidden},
                                               /*conv_bias=*/false));
        in = hidden;
    }
    pred = register_module("pred", same_convolution(hidden, out_channels, 1));
}

torch::Tensor UNetHead::forward(const FeatureMaps& features) {
    auto x = features[numbers_[0]];
    for (size_t i = 0; i < blocks.size(); ++i) {
        const auto& skip = features[numbers_[i + 1]];
        x = run(blocks[i], torch::cat({skip, resized_like(x, skip, /*align_corners=*/false)}, 1));
    }
    return pred(x);
}

}  // namespace

HeadRegistry::Entry unet_head() {
    return {{.key = "unet",
             .summary = "from the coarsest map to the finest, enlarged and joined; predicts at its size",
             .paper = "Ronneberger, Fischer, Brox, U-Net, MICCAI 2015",
             .options = {{"hidden", 64, "channels at every size"}}},
            [](const nlohmann::json& options, const std::vector<MapShape>& maps, const TaskSpec& task) {
                require_map_task("unet", task);
                return std::make_unique<UNetHead>(maps, options.at("hidden").get<int64_t>(), task.channels);
            }};
}

}  // namespace mtlprune
