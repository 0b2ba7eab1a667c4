// Residual networks (He et al., CVPR 2016) and their dilated forms.
#pragma once

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>

#include "models/backbones/backbone.h"
#include "models/layers/conv2d.h"

namespace mtlprune {

/// What a residual block adds to its convolutions' result: its input, a strided 1x1 convolution and BatchNorm
/// of it, or its strided input between channels of zeros (He et al.'s options A and B).
enum class Shortcut { identity, projection, zeros };

/// convolution - BatchNorm - ReLU, several times; the last ReLU follows the sum with the shortcut. Named
/// conv1, bn1, conv2, ..., downsample.0, downsample.1.
class ResidualBlock : public torch::nn::Module {
  public:
    ResidualBlock(const std::vector<UnbiasedConvolution>& convolutions, Shortcut shortcut);
    torch::Tensor forward(const torch::Tensor& x);

  private:
    torch::Tensor shortcut(const torch::Tensor& x);

    std::vector<Conv2d> convolutions_;
    std::vector<torch::nn::BatchNorm2d> norms_;
    torch::nn::Sequential downsample_{nullptr};
    int64_t stride_ = 1;
    int64_t zeros_ = 0;  ///< channels of zeros in front
    int64_t more_zeros_ = 0;
};

/// Blocks with equally many channels, of which the first may stride.
struct ResidualStage {
    int64_t in, channels, blocks;
    bool bottleneck = false;  ///< 1x1, 3x3, 1x1 with four times the channels, instead of two 3x3
    int64_t stride = 1;
    int64_t first_dilation = 1;  ///< up to the first block's strided convolution; `dilation` from there on
    int64_t dilation = 1;
    Shortcut shortcut = Shortcut::projection;  ///< of the first block
    int64_t out() const { return bottleneck ? 4 * channels : channels; }
};

/// Blocks "0", "1", ...
torch::nn::Sequential residual_stage(const ResidualStage& stage);

}  // namespace mtlprune
