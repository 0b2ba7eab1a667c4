#include "models/backbones/vgg.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>

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

Vgg::Vgg(const std::vector<int64_t>& channels, const std::vector<int64_t>& poolings)
    : pooled(channels.size(), false) {
    if (channels.empty() || *std::min_element(channels.begin(), channels.end()) < 1)
        throw Error("backbone vgg16", "channels", "at least one layer with at least one channel each",
                    "an empty layer or list");
    int64_t in = 3;
    for (size_t i = 0; i < channels.size(); ++i) {
        convolutions.push_back(
            register_module(fmt::format("conv{}", i + 1), same_convolution(in, channels[i], 3)));
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
        // The same bits as pooling after ReLU, with a quarter of the memory to read and write.
        if (pooled[i]) x = torch::max_pool2d(x, 2, 2);
        x.relu_();
        if (!gates_.empty()) x = x * gates_[i].view({1, -1, 1, 1});
    }
    return {x};
}

void Vgg::set_gates(const std::vector<torch::Tensor>& gates) {
    if (!gates.empty() && gates.size() != convolutions.size())
        throw Error("backbone vgg16", "gates", fmt::format("one for each of {} layers", convolutions.size()),
                    std::to_string(gates.size()));
    gates_ = gates;
}

Registry<Backbone>::Entry vgg16_backbone() {
    return {
        {.key = "vgg16",
         .summary = "VGG-16's 13 convolutions, no batch norm, no classifier",
         .paper = "Simonyan, Zisserman, ICLR 2015; in the main paper: Garg, Zhang, Guan, 2023",
         .options = {{"width", 1.0, "factor on the channels of all layers"},
                     {"pools", 5, "how many of the five poolings (each halves the maps) there are"},
                     {"channels", nlohmann::json::array(), "of every layer, instead of VGG-16's"}}},
        [](const nlohmann::json& options) {
            const double width = options.at("width").get<double>();
            auto channels = options.at("channels").get<std::vector<int64_t>>();
            const auto pools = options.at("pools").get<int64_t>();
            const auto& all = vgg16_poolings();
            if (pools < 0 || pools > static_cast<int64_t>(all.size()))
                throw Error("backbone vgg16", "pools", "0..5", std::to_string(pools));
            if (channels.empty())
                for (const int64_t full : vgg16_channels())
                    channels.push_back(std::max<int64_t>(1, std::llround(width * static_cast<double>(full))));
            return std::make_unique<Vgg>(channels, std::vector<int64_t>(all.begin(), all.begin() + pools));
        }};
}

}  // namespace mtlprune
