// The one place where convolutions are computed.
#pragma once

#include <torch/nn/modules/conv.h>

namespace mtlprune {

/// Which kernels compute the convolutions of float32 tensors on the CPU.
enum class ConvolutionKernels {
    fastest,  ///< for each shape and pass what bench_convolution found fastest
    library   ///< LibTorch's on contiguous maps, as PyTorch code runs them: for comparisons to rounding
};

/// While one lives, convolutions of this thread are at::conv2d: it can be watched, and differentiated twice.
class LibraryConvolutions {
  public:
    LibraryConvolutions();
    LibraryConvolutions(const LibraryConvolutions&) = delete;
    LibraryConvolutions& operator=(const LibraryConvolutions&) = delete;
    ~LibraryConvolutions();
};

/// 2-D convolution, stride 1, "same" padding for the (odd) kernel and dilation of `layer`; x [B,C,H,W] ->
/// [B,O,H,W]. Forward pass, input gradient and weight gradient each use the kernel of `kernels` (never a
/// choice timed at run time: results must repeat bitwise). What is not float32 on the CPU, and any call under
/// torch::jit's tracer or automatic casts (autocast.h), is at::conv2d.
torch::Tensor convolve(const torch::Tensor& x, const torch::nn::Conv2dImpl& layer,
                       ConvolutionKernels kernels = ConvolutionKernels::fastest);

}  // namespace mtlprune
