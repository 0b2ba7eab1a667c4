// One linear map from the last features: the classifier of most networks.
#include <torch/nn/modules/linear.h>

#include "models/heads/head.h"
#include "models/layers/conv2d.h"

namespace mtlprune {
namespace {

/// The mean over all positions of the last map - "fc"; [B,C].
class LinearClassifier : public Head {
  public:
    LinearClassifier(int64_t in_channels, int64_t classes)
        : fc_(register_module("fc", torch::nn::Linear(in_channels, classes))) {}
    torch::Tensor forward(const FeatureMaps& features) override { return fc_(features.back().mean({2, 3})); }

  private:
    torch::nn::Linear fc_;
};

/// "conv", 1x1, on the last map; [B,C,h,w].
class LinearPixelHead : public Head {
  public:
    LinearPixelHead(int64_t in_channels, int64_t out_channels)
        : conv_(register_module("conv", same_convolution(in_channels, out_channels, 1))) {}
    torch::Tensor forward(const FeatureMaps& features) override { return conv_(features.back()); }

  private:
    Conv2d conv_;
};

}  // namespace

HeadRegistry::Entry linear_head() {
    return {
        {.key = "linear",
         .summary = "classification: global average pooling and one linear layer; pixels: 1x1 convolution",
         .paper = "Lin, Chen, Yan, Network in Network, 2014"},
        [](const nlohmann::json&, const std::vector<MapShape>& maps,
           const TaskSpec& task) -> std::unique_ptr<Head> {
            const int64_t in = maps.back().channels;
            if (task.kind == TaskKind::classification)
                return std::make_unique<LinearClassifier>(in, task.channels);
            return std::make_unique<LinearPixelHead>(in, task.channels);
        }};
}

}  // namespace mtlprune
