// The main paper's network: a shared VGG-16 without BatchNorm and one SmallASPP head per task.
#pragma once

#include <torch/nn/modules/conv.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "datasets/contract/task.h"
#include "models/convolve.h"

namespace mtlprune {

struct ModelConfig {
    /// Output channels of the 13 convolutions (any number of them is accepted).
    std::vector<int64_t> widths = {64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512};
    /// 1-based numbers of the convolutions that a 2x2 max-pooling follows.
    std::vector<int64_t> pool_after = {2, 4, 7, 10, 13};
    int64_t head_width = 1024;
    double dropout = 0.5;
    std::vector<TaskSpec> tasks = nyuv2_tasks(40);
    bool operator==(const ModelConfig&) const = default;
};

/// One branch of a head: conv3x3 (dilated) - ReLU - dropout - conv1x1 - ReLU - dropout - conv1x1.
struct AsppBranchImpl : torch::nn::Module {
    AsppBranchImpl(int64_t in_channels, int64_t width, int64_t out_channels, int64_t rate);
    /// `dropout_key` seeds the two dropout masks; ignored in eval mode.
    torch::Tensor forward(const torch::Tensor& features, double dropout, uint64_t dropout_key);
    torch::nn::Conv2d conv1, conv2, conv3;
    ConvolutionKernels kernels = ConvolutionKernels::fastest;
};
TORCH_MODULE(AsppBranch);

/// SmallASPP head: the sum of four branches with rates 1, 2, 4, 6.
struct AsppHeadImpl : torch::nn::Module {
    AsppHeadImpl(int64_t in_channels, int64_t width, int64_t out_channels);
    torch::Tensor forward(const torch::Tensor& features, double dropout, uint64_t dropout_key);
    std::vector<AsppBranch> branches;
};
TORCH_MODULE(AsppHead);

/// The shared backbone. Parameters are named conv1.weight, conv1.bias, ..., conv13.bias.
struct VggBackboneImpl : torch::nn::Module {
    VggBackboneImpl(const std::vector<int64_t>& widths, const std::vector<int64_t>& pool_after);
    /// image [B,3,H,W] -> features [B,C,h,w]. `gates`, when given, holds one tensor [C_l] per convolution
    /// that multiplies its activation after the ReLU and the pooling, as in the released code; only masks and
    /// tests need it.
    torch::Tensor forward(torch::Tensor image, const std::vector<torch::Tensor>* gates = nullptr);
    std::vector<torch::nn::Conv2d> convolutions;
    std::vector<bool> pooled;
    ConvolutionKernels kernels = ConvolutionKernels::fastest;
};
TORCH_MODULE(VggBackbone);

struct MultiTaskModelImpl : torch::nn::Module {
    explicit MultiTaskModelImpl(const ModelConfig& config);

    /// image [B,3,H,W] -> one prediction [B,channels_t,h,w] per task; the backbone runs once.
    std::vector<torch::Tensor> forward(const torch::Tensor& image);
    torch::Tensor features(const torch::Tensor& image, const std::vector<torch::Tensor>* gates = nullptr);
    /// Prediction of task number `task` from the backbone's features.
    torch::Tensor head(size_t task, const torch::Tensor& features);

    /// Weights as in the paper: backbone Kaiming normal (fan out), bias 0; heads uniform in +-1/sqrt(fan in).
    /// Depends on `seed` alone.
    void initialise(uint64_t seed);
    /// Seeds the dropout masks of the next forward passes (they depend on this key alone).
    void set_dropout_key(uint64_t key) { dropout_key_ = key; }

    /// Of all layers. Kernels differ in rounding, which decides near-ties of the max-pooling.
    void use(ConvolutionKernels kernels);

    /// The configuration with the widths that the convolutions have now (after pruning too).
    ModelConfig config() const;
    size_t task_count() const { return heads.size(); }

    VggBackbone backbone{nullptr};
    std::vector<AsppHead> heads;

  private:
    ModelConfig config_;
    uint64_t dropout_key_ = 0;
};
TORCH_MODULE(MultiTaskModel);

}  // namespace mtlprune
