#include "models/multi_task_model.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "models/dropout.h"

namespace mtlprune {
namespace {

constexpr std::array<int64_t, 4> kRates = {1, 2, 4, 6};

torch::nn::Conv2d convolution(int64_t in, int64_t out, int64_t kernel, int64_t dilation = 1) {
    const int64_t padding = dilation * (kernel - 1) / 2;
    return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, kernel).padding(padding).dilation(dilation));
}

int64_t fan(const torch::Tensor& weight, int64_t channels) {
    return channels * weight.size(2) * weight.size(3);
}

}  // namespace

AsppBranchImpl::AsppBranchImpl(int64_t in_channels, int64_t width, int64_t out_channels, int64_t rate)
    : conv1(register_module("conv1", convolution(in_channels, width, 3, rate))),
      conv2(register_module("conv2", convolution(width, width, 1))),
      conv3(register_module("conv3", convolution(width, out_channels, 1))) {}

torch::Tensor AsppBranchImpl::forward(const torch::Tensor& features, double dropout, uint64_t dropout_key) {
    const double p = is_training() ? dropout : 0.0;
    auto hidden = keyed_dropout(torch::relu(convolve(features, conv1, kernels)), p,
                                mix_key(dropout_key, Stream::method, 1));
    hidden = keyed_dropout(torch::relu(convolve(hidden, conv2, kernels)), p,
                           mix_key(dropout_key, Stream::method, 2));
    return convolve(hidden, conv3, kernels);
}

AsppHeadImpl::AsppHeadImpl(int64_t in_channels, int64_t width, int64_t out_channels) {
    for (const int64_t rate : kRates)
        branches.push_back(
            register_module(fmt::format("rate{}", rate), AsppBranch(in_channels, width, out_channels, rate)));
}

torch::Tensor AsppHeadImpl::forward(const torch::Tensor& features, double dropout, uint64_t dropout_key) {
    torch::Tensor sum;
    for (size_t i = 0; i < branches.size(); ++i) {
        const auto out = branches[i]->forward(features, dropout, mix_key(dropout_key, Stream::method, i));
        sum = sum.defined() ? sum + out : out;
    }
    return sum;
}

VggBackboneImpl::VggBackboneImpl(const std::vector<int64_t>& widths, const std::vector<int64_t>& pool_after)
    : pooled(widths.size(), false) {
    int64_t in = 3;
    for (size_t i = 0; i < widths.size(); ++i) {
        convolutions.push_back(register_module(fmt::format("conv{}", i + 1), convolution(in, widths[i], 3)));
        in = widths[i];
    }
    for (const int64_t number : pool_after) {
        if (number < 1 || number > static_cast<int64_t>(widths.size()))
            throw Error("model", "pool_after", fmt::format("numbers in 1..{}", widths.size()),
                        std::to_string(number));
        pooled[number - 1] = true;
    }
}

torch::Tensor VggBackboneImpl::forward(torch::Tensor image, const std::vector<torch::Tensor>* gates) {
    auto x = std::move(image);
    for (size_t i = 0; i < convolutions.size(); ++i) {
        x = convolve(x, convolutions[i], kernels);
        // The same bits as pooling after ReLU, with a quarter of the memory to read and write.
        if (pooled[i]) x = torch::max_pool2d(x, 2, 2);
        x.relu_();
        if (gates != nullptr) x = x * gates->at(i).view({1, -1, 1, 1});
    }
    return x;
}

MultiTaskModelImpl::MultiTaskModelImpl(const ModelConfig& config) : config_(config) {
    if (config.widths.empty() || *std::min_element(config.widths.begin(), config.widths.end()) < 1)
        throw Error("model", "widths", "at least one layer with at least one channel each",
                    "an empty layer or list");
    if (config.head_width < 1)
        throw Error("model", "head_width", "at least 1", std::to_string(config.head_width));
    if (config.tasks.empty()) throw Error("model", "tasks", "at least one task", "none");
    backbone = register_module("backbone", VggBackbone(config.widths, config.pool_after));
    auto container = register_module("heads", std::make_shared<torch::nn::Module>());
    for (const auto& task : config.tasks) {
        heads.emplace_back(AsppHead(config.widths.back(), config.head_width, task.channels));
        container->register_module(task.name, heads.back());
    }
}

std::vector<torch::Tensor> MultiTaskModelImpl::forward(const torch::Tensor& image) {
    const auto shared = features(image);
    std::vector<torch::Tensor> predictions;
    for (size_t task = 0; task < heads.size(); ++task) predictions.push_back(head(task, shared));
    return predictions;
}

torch::Tensor MultiTaskModelImpl::features(const torch::Tensor& image,
                                           const std::vector<torch::Tensor>* gates) {
    // On a GPU activations take the layout of the weights (models/placement.h); on a CPU each convolution
    // chooses.
    return backbone->forward(image.is_cuda() ? image.contiguous(torch::MemoryFormat::ChannelsLast) : image,
                             gates);
}

torch::Tensor MultiTaskModelImpl::head(size_t task, const torch::Tensor& features) {
    return heads.at(task)->forward(features, config_.dropout, mix_key(dropout_key_, Stream::method, task));
}

void MultiTaskModelImpl::initialise(uint64_t seed) {
    torch::NoGradGuard no_grad;
    uint64_t position = 0;
    for (auto& item : named_parameters()) {
        auto generator = at::detail::createCPUGenerator(mix_key(seed, Stream::init, position++));
        auto value = torch::zeros(item.value().sizes(), item.value().options().device(torch::kCPU));
        const bool in_backbone = item.key().rfind("backbone.", 0) == 0;
        const bool is_weight = value.dim() == 4;
        if (in_backbone && is_weight) {
            value.normal_(0.0, std::sqrt(2.0 / static_cast<double>(fan(value, value.size(0)))), generator);
        } else if (!in_backbone) {
            const torch::Tensor weight =
                is_weight ? value
                          : named_parameters()[item.key().substr(0, item.key().size() - 4) + "weight"];
            const double bound = 1.0 / std::sqrt(static_cast<double>(fan(weight, weight.size(1))));
            value.uniform_(-bound, bound, generator);
        }
        item.value().copy_(value);
    }
}

void MultiTaskModelImpl::use(ConvolutionKernels kernels) {
    backbone->kernels = kernels;
    for (auto& head : heads)
        for (auto& branch : head->branches) branch->kernels = kernels;
}

ModelConfig MultiTaskModelImpl::config() const {
    ModelConfig now = config_;
    for (size_t i = 0; i < backbone->convolutions.size(); ++i)
        now.widths[i] = backbone->convolutions[i]->weight.size(0);
    return now;
}

}  // namespace mtlprune
