// Small networks with known couplings, built equal every time, for the tests of coupling, surgery and cost.
#pragma once

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/utils.h>
#include <torch/version.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "pruning/coupling/groups.h"
#include "tests/paper_network.h"

namespace mtlprune::toy {

struct Network {
    std::shared_ptr<torch::nn::Module> module = std::make_shared<torch::nn::Module>("toy");
    TracedFunction forward;

    torch::nn::Conv2d convolution(const std::string& name, int64_t in, int64_t out, int64_t kernel = 3,
                                  int64_t groups = 1) {
        const auto options = torch::nn::Conv2dOptions(in, out, kernel).padding(kernel / 2).groups(groups);
        return module->register_module(name, torch::nn::Conv2d(options));
    }
    torch::Tensor operator()(const torch::Tensor& x) const { return forward({x}).front(); }
};

inline torch::Tensor uniform(std::vector<int64_t> shape, uint64_t key) {
    auto generator = at::detail::createCPUGenerator(key);
    return torch::empty(shape, torch::kFloat64).uniform_(-1.0, 1.0, generator);
}

/// The fused attention operator without a scale, as this LibTorch's TorchScript has it.
inline std::string attention_call(const std::string& arguments) {
#if TORCH_VERSION_MAJOR >= 2
    return "torch.scaled_dot_product_attention(" + arguments + ")";
#else
    return "torch._scaled_dot_product_attention(" + arguments + ", None, 0.0, False, False)[0]";
#endif
}

/// Float64, eval mode, all parameters and running statistics drawn from a fixed key.
inline Network finish(Network network, TracedFunction forward) {
    torch::NoGradGuard no_grad;
    network.forward = std::move(forward);
    network.module->to(torch::kFloat64);
    network.module->eval();
    uint64_t key = 1;
    for (auto& item : network.module->named_parameters())
        item.value().copy_(uniform(item.value().sizes().vec(), key++));
    for (auto& item : network.module->named_buffers())
        if (item.value().dim() > 0)
            item.value().copy_(uniform(item.value().sizes().vec(), key++).abs() + 0.5);
    return network;
}

/// first -> relu -> (+ second(first)) -> last
inline Network residual() {
    Network n;
    auto first = n.convolution("first", 3, 6), second = n.convolution("second", 6, 6),
         last = n.convolution("last", 6, 2);
    return finish(n, [=](const std::vector<torch::Tensor>& in) mutable -> std::vector<torch::Tensor> {
        auto x = torch::relu(first(in[0]));
        x = (x + second(x)).relu_();
        return {last(x)};
    });
}

/// cat(left [4], right [5]) -> last
inline Network concatenation() {
    Network n;
    auto left = n.convolution("left", 3, 4), right = n.convolution("right", 3, 5),
         last = n.convolution("last", 9, 2);
    return finish(n, [=](const std::vector<torch::Tensor>& in) mutable -> std::vector<torch::Tensor> {
        return {last(torch::cat({left(in[0]), torch::sigmoid(right(in[0]))}, 1))};
    });
}

/// conv -> norm -> relu -> pool -> depthwise -> flatten -> linear -> relu -> linear, for 8 x 8 images
inline Network classifier() {
    Network n;
    auto conv = n.convolution("conv", 3, 5), depth = n.convolution("depth", 5, 10, 3, 5);
    torch::nn::BatchNorm2d norm = n.module->register_module("norm", torch::nn::BatchNorm2d(5));
    torch::nn::Linear hidden = n.module->register_module("hidden", torch::nn::Linear(160, 7));
    torch::nn::Linear last = n.module->register_module("last", torch::nn::Linear(7, 3));
    return finish(n, [=](const std::vector<torch::Tensor>& in) mutable -> std::vector<torch::Tensor> {
        auto x = depth(torch::max_pool2d(torch::relu(norm(conv(in[0]))), 2));
        return {last(torch::relu(hidden(x.flatten(1))))};
    });
}

/// grouped convolution, transposed convolution, a gate parameter and a transposed matrix product
inline Network assorted() {
    Network n;
    auto conv = n.convolution("conv", 3, 8), grouped = n.convolution("grouped", 8, 6, 3, 2);
    torch::nn::ConvTranspose2d up = n.module->register_module(
        "up", torch::nn::ConvTranspose2d(torch::nn::ConvTranspose2dOptions(6, 4, 2).stride(2)));
    auto gate = n.module->register_parameter("gate", torch::zeros({1, 4, 1, 1}));
    auto table = n.module->register_parameter("table", torch::zeros({2, 4}));
    return finish(n, [=](const std::vector<torch::Tensor>& in) mutable -> std::vector<torch::Tensor> {
        auto x = up(torch::relu(grouped(conv(in[0])))) * gate;
        return {torch::matmul(x.mean({2, 3}), table.t())};
    });
}

inline torch::Tensor image(int64_t batch = 2, int64_t side = 8) {
    return uniform({batch, 3, side, side}, 77);
}

inline Coupling couple(const Network& network) {
    return mtlprune::couple(*network.module, network.forward, {image(1)});
}

/// conv -> `op` -> last; what `op` does to the channels decides whether the group of conv is free.
inline Group group_under(const std::function<torch::Tensor(const torch::Tensor&)>& op) {
    Network n;
    auto conv = n.convolution("conv", 3, 4);
    auto last = n.convolution("last", 4, 2);
    n = finish(n, [=](const std::vector<torch::Tensor>& in) mutable -> std::vector<torch::Tensor> {
        return {last(op(conv(in[0])))};
    });
    return couple(n).groups.front();
}

inline PaperNetwork small_config() {
    PaperNetwork config;
    config.channels = {4, 5, 6, 4, 5, 6, 4, 5, 6, 7, 4, 5, 6};
    config.hidden = 8;
    return config;
}

/// The paper's network with 3 tasks, small, in float64 and eval mode; equal for equal seeds.
inline PaperModel multi_task_model(uint64_t seed = 3) {
    auto model = build(small_config());
    model->initialise(seed);
    model->to(torch::kFloat64);
    model->eval();
    return model;
}

inline TracedFunction forward_of(PaperModel model) {
    return [model](const std::vector<torch::Tensor>& in) { return model->forward(in.at(0)); };
}

inline Coupling couple(PaperModel model, int64_t side = 32) {
    return mtlprune::couple(*model, forward_of(model), {image(1, side)});
}

/// For every free group a random subset of its channels, never all of them.
inline std::vector<std::vector<int64_t>> random_removal(const std::vector<Group>& groups, uint64_t key) {
    std::vector<std::vector<int64_t>> removed(groups.size());
    for (size_t g = 0; g < groups.size(); ++g) {
        if (groups[g].frozen) continue;
        Random random(key * 1000 + g);
        removed[g] = permutation(groups[g].channels, random);
        removed[g].resize(random.below(groups[g].channels));
    }
    return removed;
}

/// Largest difference relative to the largest value.
inline double relative_difference(const torch::Tensor& a, const torch::Tensor& b) {
    return ((a - b).abs().max() / b.abs().max()).item<double>();
}

}  // namespace mtlprune::toy
