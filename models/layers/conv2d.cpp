#include "models/layers/conv2d.h"

namespace mtlprune {
namespace {

/// What convolve() computes.
bool keeps_size(const torch::nn::detail::ConvNdOptions<2>& options) {
    // The variant is c10's or std's, as the version of LibTorch says.
    const auto* padding = get_if<torch::ExpandingArray<2>>(&options.padding());
    if (padding == nullptr || options.groups() != 1) return false;
    if (!holds_alternative<torch::enumtype::kZeros>(options.padding_mode())) return false;
    const int64_t kernel = options.kernel_size()->at(0), dilation = options.dilation()->at(0);
    const auto both = [](const torch::ExpandingArray<2>& pair, int64_t value) {
        return pair->at(0) == value && pair->at(1) == value;
    };
    return kernel % 2 == 1 && both(options.kernel_size(), kernel) && both(options.dilation(), dilation) &&
           both(options.stride(), 1) && both(*padding, dilation * (kernel - 1) / 2);
}

}  // namespace

torch::Tensor Conv2dImpl::forward(const torch::Tensor& x) {
    if (!keeps_size(options)) return torch::nn::Conv2dImpl::forward(x);
    return convolve(x, *this, kernels);
}

Conv2d same_convolution(int64_t in_channels, int64_t out_channels, int64_t kernel, int64_t dilation) {
    return Conv2d(torch::nn::Conv2dOptions(in_channels, out_channels, kernel)
                      .padding(dilation * (kernel - 1) / 2)
                      .dilation(dilation));
}

Conv2d unbiased_convolution(const UnbiasedConvolution& shape) {
    return Conv2d(torch::nn::Conv2dOptions(shape.in, shape.out, shape.kernel)
                      .stride(shape.stride)
                      .padding(shape.dilation * (shape.kernel - 1) / 2)
                      .dilation(shape.dilation)
                      .groups(shape.groups)
                      .bias(false));
}

void use_kernels(torch::nn::Module& module, ConvolutionKernels kernels) {
    for (const auto& layer : module.modules())
        if (auto* convolution = dynamic_cast<Conv2dImpl*>(layer.get())) convolution->kernels = kernels;
}

}  // namespace mtlprune
