#include "models/layers/conv_norm_relu.h"

namespace mtlprune {

ConvNormReluImpl::ConvNormReluImpl(int64_t in_channels, int64_t out_channels, bool conv_bias, bool normalised)
    : conv(register_module(
          "0", Conv2d(torch::nn::Conv2dOptions(in_channels, out_channels, 3).padding(1).bias(conv_bias)))) {
    if (normalised) norm = register_module("1", torch::nn::BatchNorm2d(out_channels));
}

torch::Tensor ConvNormReluImpl::forward(const torch::Tensor& x) {
    auto y = conv(x);
    if (norm) y = norm(y);
    return y.relu_();
}

std::vector<ConvNormRelu> register_convolutions(torch::nn::Module& parent, const std::string& name,
                                                const std::vector<int64_t>& channels, bool conv_bias,
                                                bool normalised) {
    auto container = parent.register_module(name, std::make_shared<torch::nn::Module>());
    std::vector<ConvNormRelu> convolutions;
    for (size_t i = 0; i + 1 < channels.size(); ++i)
        convolutions.push_back(container->register_module(
            std::to_string(i), ConvNormRelu(channels[i], channels[i + 1], conv_bias, normalised)));
    return convolutions;
}

torch::Tensor run(std::vector<ConvNormRelu>& convolutions, torch::Tensor x) {
    for (auto& convolution : convolutions) x = convolution(x);
    return x;
}

}  // namespace mtlprune
