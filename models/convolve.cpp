#include "models/convolve.h"

namespace mtlprune {

torch::Tensor convolve(const torch::Tensor& x, const torch::nn::Conv2d& layer) {
    const int64_t dilation = layer->options.dilation()->at(0);
    const int64_t padding = dilation * (layer->weight.size(2) - 1) / 2;
    // oneDNN's kernels for channels-last are up to three times faster than for contiguous tensors (bench_convolution).
    const auto input = x.scalar_type() == torch::kFloat ? x.contiguous(torch::MemoryFormat::ChannelsLast) : x;
    return at::conv2d(input, layer->weight, layer->bias, /*stride=*/1, padding, dilation);
}

}  // namespace mtlprune
