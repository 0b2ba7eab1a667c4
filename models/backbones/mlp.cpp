// Fully connected networks on flattened images.
#include <fmt/format.h>
#include <torch/nn/modules/linear.h>

#include <algorithm>

#include "base/error.h"
#include "models/backbones/backbone.h"
#include "models/backbones/image_size.h"

namespace mtlprune {
namespace {

/// Linear layers fc1, fc2, ..., each followed by ReLU; the map is [B,C,1,1].
class Mlp : public Backbone {
  public:
    Mlp(std::string key, const std::vector<int64_t>& hidden, const ImageSize& size)
        : key_(std::move(key)), size_(size), channels_(hidden.back()) {
        int64_t in = size.channels * size.side * size.side;
        for (const int64_t out : hidden) {
            layers_.push_back(
                register_module(fmt::format("fc{}", layers_.size() + 1), torch::nn::Linear(in, out)));
            in = out;
        }
    }

    std::vector<MapShape> maps() const override { return {{channels_, size_.side}}; }

    FeatureMaps forward(torch::Tensor image) override {
        auto x = sized_image(key_, image, size_).flatten(1);
        for (auto& layer : layers_) x = layer(x).relu_();
        return {x.unsqueeze(-1).unsqueeze(-1)};
    }

  private:
    std::string key_;
    ImageSize size_;
    int64_t channels_;
    std::vector<torch::nn::Linear> layers_;
};

}  // namespace

Registry<Backbone>::Entry lenet300_backbone() {
    return {{.key = "lenet300",
             .summary = "LeNet-300-100 without its classifier, for small images",
             .paper = "LeCun et al., Proc. IEEE 1998; pruned: Han et al., NeurIPS 2015",
             .options = with_image_size({"width", 1.0, "factor on the units of both layers"})},
            [](const nlohmann::json& options) {
                const double width = options.at("width").get<double>();
                return std::make_unique<Mlp>(
                    "lenet300",
                    std::vector<int64_t>{scaled_channels(300, width), scaled_channels(100, width)},
                    image_size("lenet300", options, 1));
            }};
}

Registry<Backbone>::Entry mlp_backbone() {
    return {{.key = "mlp",
             .summary = "fully connected layers with ReLU on the flattened image",
             .paper = "",
             .options = with_image_size({"hidden", {512, 512}, "units of each layer"})},
            [](const nlohmann::json& options) {
                const auto hidden = options.at("hidden").get<std::vector<int64_t>>();
                if (hidden.empty() || *std::min_element(hidden.begin(), hidden.end()) < 1)
                    throw Error("backbone mlp", "hidden", "at least one layer of at least one unit each",
                                options.at("hidden").dump());
                return std::make_unique<Mlp>("mlp", hidden, image_size("mlp", options, 1));
            }};
}

}  // namespace mtlprune
