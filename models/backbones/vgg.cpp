#include "models/backbones/vgg.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>

#include "base/error.h"

namespace mtlprune {

const std::vector<int64_t>& vgg16_channels() {
    static const std::vector<int64_t> channels = {64,  64,  128, 128, 256, 256, 256,
                                                  512, 512, 512, 512, 512, 512};
    return channels;
}

const std::vector<int64_t>& vgg16_poolings() {
    static const std::vector<int64_t> poolings = {2, 4, 7, 10, 13};
    return poolings;
}

Vgg::Vgg(const std::vector<int64_t>& channels, const std::vector<int64_t>& poolings, bool batch_norm)
    : pooled(channels.size(), false) {
    if (channels.empty() || *std::min_element(channels.begin(), channels.end()) < 1)
        throw Error("backbone vgg16", "channels", "at least one layer with at least one channel each",
                    "an empty layer or list");
    int64_t in = 3;
    for (size_t i = 0; i < channels.size(); ++i) {
        convolutions.push_back(
            register_module(fmt::format("conv{}", i + 1), same_convolution(in, channels[i], 3)));
        if (batch_norm)
            norms.push_back(
                register_module(fmt::format("norm{}", i + 1), torch::nn::BatchNorm2d(channels[i])));
        in = channels[i];
    }
    for (const int64_t number : poolings) {
        if (number < 1 || number > static_cast<int64_t>(channels.size()))
            throw Error("backbone vgg16", "poolings", fmt::format("numbers in 1..{}", channels.size()),
                        std::to_string(number));
        pooled[number - 1] = true;
    }
}

std::vector<MapShape> Vgg::maps() const {
    return {
        {convolutions.back()->weight.size(0), int64_t{1} << std::count(pooled.begin(), pooled.end(), true)}};
}

FeatureMaps Vgg::forward(torch::Tensor image) {
    auto x = std::move(image);
    for (size_t i = 0; i < convolutions.size(); ++i) {
        x = convolutions[i](x);
        if (!norms.empty()) x = norms[i](x);
        // The same bits as pooling after ReLU, with a quarter of the memory to read and write.
        if (pooled[i]) x = torch::max_pool2d(x, 2, 2);
        x.relu_();
        if (!gates_.empty()) x = x * gates_[i].view({1, -1, 1, 1});
    }
    return {x};
}

std::string Vgg::released_name(const std::string& name) const {
    const auto module = name.substr(0, name.find('.'));
    int64_t at = 0;
    for (size_t i = 0; i < convolutions.size(); ++i) {
        const bool is_norm = !norms.empty() && module == fmt::format("norm{}", i + 1);
        if (is_norm || module == fmt::format("conv{}", i + 1))
            return fmt::format("features.{}{}", is_norm ? at + 1 : at, name.substr(module.size()));
        at += 2 + (norms.empty() ? 0 : 1) + (pooled[i] ? 1 : 0);
    }
    throw Error("backbone vgg16", name, "the name of a tensor", "none of this name");
}

void Vgg::set_gates(const std::vector<torch::Tensor>& gates) {
    if (!gates.empty() && gates.size() != convolutions.size())
        throw Error("backbone vgg16", "gates", fmt::format("one for each of {} layers", convolutions.size()),
                    std::to_string(gates.size()));
    gates_ = gates;
}

Registry<Backbone>::Entry vgg16_backbone() {
    return {{.key = "vgg16",
             .summary = "VGG-16's 13 convolutions, no classifier",
             .paper = "Simonyan, Zisserman, ICLR 2015; in the main paper: Garg, Zhang, Guan, 2023",
             .options = {{"width", 1.0, "factor on the channels of all layers"},
                         {"pools", 5, "how many of the five poolings (each halves the maps) there are"},
                         {"channels", nlohmann::json::array(), "of every layer, instead of VGG-16's"},
                         {"batch_norm", false, "behind every convolution, torchvision's vgg16_bn"}}},
            [](const nlohmann::json& options) {
                const double width = options.at("width").get<double>();
                auto channels = options.at("channels").get<std::vector<int64_t>>();
                const auto pools = options.at("pools").get<int64_t>();
                const auto& all = vgg16_poolings();
                if (pools < 0 || pools > static_cast<int64_t>(all.size()))
                    throw Error("backbone vgg16", "pools", "0..5", std::to_string(pools));
                if (channels.empty())
                    for (const int64_t full : vgg16_channels())
                        channels.push_back(scaled_channels(full, width));
                return std::make_unique<Vgg>(channels, std::vector<int64_t>(all.begin(), all.begin() + pools),
                                             options.at("batch_norm").get<bool>());
            }};
}

}  // namespace mtlprune
