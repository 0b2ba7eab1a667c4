// LeNet-5 as Caffe has it and pruning papers since Han et al., NeurIPS 2015.
#include <torch/nn/modules/linear.h>

#include "models/backbones/backbone.h"
#include "models/backbones/image_size.h"
#include "models/layers/conv2d.h"

namespace mtlprune {
namespace {

constexpr int64_t kKernel = 5;

/// Height and width behind both convolutions (without padding) and poolings.
int64_t pooled_twice(int64_t side) {
    const auto halved = [](int64_t size) { return (size - kKernel + 1) / 2; };
    return halved(halved(side));
}

/// conv1 - max-pooling - conv2 - max-pooling - fc1 - ReLU; no ReLU behind convolutions, as Caffe has it. The
/// map is [B,C,1,1].
class LeNet5 : public Backbone {
  public:
    LeNet5(double width, const ImageSize& size)
        : size_(size), hidden_(scaled_channels(500, width)), side_(pooled_twice(size.side)) {
        const int64_t first = scaled_channels(20, width), second = scaled_channels(50, width);
        conv1_ = register_module("conv1", Conv2d(size.channels, first, kKernel));
        conv2_ = register_module("conv2", Conv2d(first, second, kKernel));
        fc1_ = register_module("fc1", torch::nn::Linear(second * side_ * side_, hidden_));
    }

    std::vector<MapShape> maps() const override { return {{hidden_, size_.side}}; }

    FeatureMaps forward(torch::Tensor image) override {
        auto x = torch::max_pool2d(conv1_(sized_image("lenet5", image, size_)), 2);
        x = torch::max_pool2d(conv2_(x), 2);
        return {fc1_(x.flatten(1)).relu_().unsqueeze(-1).unsqueeze(-1)};
    }

  private:
    ImageSize size_;
    int64_t hidden_, side_;
    Conv2d conv1_{nullptr}, conv2_{nullptr};
    torch::nn::Linear fc1_{nullptr};
};

}  // namespace

Registry<Backbone>::Entry lenet5_backbone() {
    return {{.key = "lenet5",
             .summary = "LeNet-5 of Caffe (20, 50, 500 channels) without its classifier, for small images",
             .paper = "LeCun et al., Proc. IEEE 1998; of this size: Jia et al., Caffe, 2014",
             .options = with_image_size({"width", 1.0, "factor on the channels of all layers"})},
            [](const nlohmann::json& options) {
                constexpr int64_t kSmallest = 16;  // one position is left
                return std::make_unique<LeNet5>(options.at("width").get<double>(),
                                                image_size("lenet5", options, kSmallest));
            }};
}

}  // namespace mtlprune
