// The convolution of all our networks: LibTorch's, with a faster forward.
#pragma once

#include <torch/nn/modules/conv.h>

#include "models/layers/convolve.h"

namespace mtlprune {

/// Parameters, options and results are those of torch::nn::Conv2d, which it is to everything that looks at
/// it. Stride 1 with "same" padding and one group takes the kernels of convolve.h; the rest is LibTorch's.
struct Conv2dImpl : torch::nn::Conv2dImpl {
    using torch::nn::Conv2dImpl::Conv2dImpl;
    /// x [B,C,H,W] -> [B,O,H',W']
    torch::Tensor forward(const torch::Tensor& x);
    ConvolutionKernels kernels = ConvolutionKernels::fastest;
};
TORCH_MODULE(Conv2d);

/// Stride 1, an odd kernel, and the padding that keeps height and width.
Conv2d same_convolution(int64_t in_channels, int64_t out_channels, int64_t kernel, int64_t dilation = 1);

/// Of a convolution in front of a BatchNorm: an odd kernel, centred padding, no bias.
struct UnbiasedConvolution {
    int64_t in, out, kernel;
    int64_t stride = 1, dilation = 1, groups = 1;
};
Conv2d unbiased_convolution(const UnbiasedConvolution& shape);

/// Of all Conv2d layers below `module`. Kernels differ in rounding, which decides near-ties of max-pooling.
void use_kernels(torch::nn::Module& module, ConvolutionKernels kernels);

}  // namespace mtlprune
