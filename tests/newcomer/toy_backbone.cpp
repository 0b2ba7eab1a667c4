// A backbone that somebody adds: this file, and the one line that registers it, is all it takes.
#include "tests/newcomer/toy_backbone.h"

#include <torch/nn/modules/batchnorm.h>
#include <torch/utils.h>

#include "models/layers/conv2d.h"

namespace mtlprune {
namespace {

/// conv - norm - ReLU, a residual block, pooling.
class ToyBackbone : public Backbone {
  public:
    explicit ToyBackbone(int64_t channels)
        : first_(register_module("first", same_convolution(3, channels, 3))),
          norm_(register_module("norm", torch::nn::BatchNorm2d(channels))),
          middle_(register_module("middle", same_convolution(channels, channels, 3))),
          last_(register_module("last", same_convolution(channels, 2 * channels, 1))) {}

    std::vector<MapShape> maps() const override { return {{last_->weight.size(0), 2}}; }

    FeatureMaps forward(torch::Tensor image) override {
        auto x = torch::relu(norm_(first_(image)));
        x = torch::relu(x + middle_(x));
        return {torch::relu(last_(torch::max_pool2d(x, 2)))};
    }

  private:
    Conv2d first_;
    torch::nn::BatchNorm2d norm_;
    Conv2d middle_, last_;
};

}  // namespace

Registry<Backbone>::Entry toy_backbone() {
    return {{.key = "toy",
             .summary = "one residual block of a newcomer",
             .paper = "",
             .options = {{"channels", 6, "of the block"}}},
            [](const nlohmann::json& options) {
                return std::make_unique<ToyBackbone>(options.at("channels").get<int64_t>());
            }};
}

}  // namespace mtlprune
