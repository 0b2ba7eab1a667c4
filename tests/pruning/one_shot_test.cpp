#include "pruning/network/prune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn.h>

#include "base/error.h"
#include "tests/pruning/toy_networks.h"

namespace mtlprune::one_shot_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

PruneOptions keep_macs(double share) {
    PruneOptions options;
    options.allocation.budget = {BudgetUnit::macs, share};
    return options;
}

PruneReport prune_module(torch::nn::Module& module, const TracedFunction& forward,
                         const std::vector<torch::Tensor>& inputs, const PruneOptions& options = {}) {
    ModuleNetwork network(module, forward, inputs);
    return prune(network, criteria().make("l2"), options);
}

std::vector<torch::Tensor> values_of(const torch::nn::Module& module) {
    std::vector<torch::Tensor> values;
    for (const auto& parameter : module.parameters()) values.push_back(parameter.detach().clone());
    for (const auto& buffer : module.buffers()) values.push_back(buffer.detach().clone());
    return values;
}

bool equal(const std::vector<torch::Tensor>& a, const std::vector<torch::Tensor>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const torch::Tensor& x, const torch::Tensor& y) { return torch::equal(x, y); });
}

TEST(OneShot, MeetsItsBudgetAndComputesWhatTheZeroedNetworkComputes) {
    for (auto make : {toy::residual, toy::concatenation, toy::classifier, toy::assorted}) {
        auto network = make();
        const auto report = prune_module(*network.module, network.forward, {toy::image()}, keep_macs(0.6));
        EXPECT_LE(report.after.macs, static_cast<int64_t>(0.6 * static_cast<double>(report.before.macs)));
        EXPECT_GT(report.removed_channels, 0);
        EXPECT_LT(report.error, 1e-10);
        int64_t parameters = 0;
        for (const auto& parameter : network.module->parameters()) parameters += parameter.numel();
        EXPECT_EQ(parameters, report.after.parameters);
    }
}

/// The map y -> 3.9 y (1 - y) doubles the rounding every time.
TEST(OneShot, RoundingThatANetworkAmplifiesIsNoDifference) {
    toy::Network n;
    torch::nn::Linear layer = n.module->register_module("layer", torch::nn::Linear(5, 256));
    n = toy::finish(n, [=](const std::vector<torch::Tensor>& in) mutable -> std::vector<torch::Tensor> {
        auto y = torch::sigmoid(0.01 * torch::relu(layer(in[0])).sum(1));
        for (int i = 0; i < 17; ++i) y = 3.9 * y * (1.0 - y);
        return {y};
    });
    n.module->to(torch::kFloat32);
    const auto report = prune_module(*n.module, n.forward, {toy::uniform({16, 5}, 7).to(torch::kFloat32)});
    EXPECT_LT(report.error, 1e-9);  // of float64
    EXPECT_EQ(layer->weight.scalar_type(), torch::kFloat32);
    EXPECT_EQ(layer->weight.size(0), 128);
    EXPECT_EQ(layer->options.out_features(), 128);
}

/// conv -> view with a size written into the code -> conv
toy::Network with_literal() {
    toy::Network n;
    auto conv = n.convolution("conv", 3, 4), depth = n.convolution("depth", 4, 4, 3, 4),
         last = n.convolution("last", 4, 2);
    return toy::finish(n, [=](const std::vector<torch::Tensor>& in) mutable -> std::vector<torch::Tensor> {
        const auto x = depth(conv(in[0]));
        return {last(x.view({x.size(0), 4, -1}).view({x.size(0), 4, x.size(2), x.size(3)}))};
    });
}

TEST(OneShot, AModuleWithSizesInItsCodeIsRestored) {
    auto network = with_literal();
    const auto before = values_of(*network.module);
    const auto output = network(toy::image());
    try {
        prune_module(*network.module, network.forward, {toy::image()});
        FAIL() << "no error";
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("(restored): forward: expected"));
        EXPECT_THAT(error.what(), HasSubstr("found shape '["));
        EXPECT_THAT(error.what(), Not(HasSubstr("relative difference")));
    }
    EXPECT_TRUE(equal(values_of(*network.module), before));
    EXPECT_TRUE(torch::equal(network(toy::image()), output));  // groups of the depthwise convolution included
}

TEST(OneShot, AModuleThatComputesSomethingElseSaysOnceByHowMuch) {
    toy::Network n;
    auto conv = n.convolution("conv", 3, 8), last = n.convolution("last", 8, 2);
    n = toy::finish(n, [=](const std::vector<torch::Tensor>& in) mutable -> std::vector<torch::Tensor> {
        return {last(conv(in[0])) * static_cast<double>(conv->weight.size(0))};
    });
    try {
        prune_module(*n.module, n.forward, {toy::image()});
        FAIL() << "no error";
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("(restored): one of the outputs: expected"));
        EXPECT_THAT(error.what(), testing::EndsWith("found a relative difference of 0.5"));
        const std::string text = error.what();
        EXPECT_EQ(text.find("relative"), text.rfind("relative"));
    }
    EXPECT_EQ(conv->weight.size(0), 8);
}

TEST(OneShot, AttentionModulesKeepHeadsAndComputeTheSame) {
    toy::Network n;
    torch::nn::Linear first = n.module->register_module("first", torch::nn::Linear(5, 8));
    torch::nn::MultiheadAttention attention =
        n.module->register_module("attention", torch::nn::MultiheadAttention(8, 2));
    torch::nn::Linear last = n.module->register_module("last", torch::nn::Linear(8, 3));
    n = toy::finish(n, [=](const std::vector<torch::Tensor>& in) mutable -> std::vector<torch::Tensor> {
        const auto x = torch::relu(first(in[0]));
        return {last(x + std::get<0>(attention(x, x, x)))};
    });
    const auto report = prune_module(*n.module, n.forward, {toy::uniform({6, 2, 5}, 7)});
    EXPECT_LT(report.error, 1e-10);
    EXPECT_EQ(attention->options.embed_dim(), 4);
    EXPECT_EQ(attention->options.num_heads(), 2);
    EXPECT_EQ(attention->in_proj_weight.sizes(), (std::vector<int64_t>{12, 4}));
}

TEST(OneShot, RecurrentLayersLoseHiddenUnits) {
    toy::Network n;
    torch::nn::LSTM lstm = n.module->register_module(
        "lstm", torch::nn::LSTM(torch::nn::LSTMOptions(5, 8).num_layers(2).bidirectional(true)));
    torch::nn::GRU gru = n.module->register_module("gru", torch::nn::GRU(torch::nn::GRUOptions(16, 6)));
    torch::nn::Linear last = n.module->register_module("last", torch::nn::Linear(6, 3));
    n = toy::finish(n, [=](const std::vector<torch::Tensor>& in) mutable -> std::vector<torch::Tensor> {
        return {last(std::get<0>(gru(std::get<0>(lstm(in[0])))))};
    });
    const auto report = prune_module(*n.module, n.forward, {toy::uniform({4, 2, 5}, 7)});
    EXPECT_LT(report.error, 1e-10);
    EXPECT_EQ(lstm->options.hidden_size(), 4);
    EXPECT_EQ(gru->options.input_size(), 8);
    EXPECT_EQ(gru->options.hidden_size(), 3);
}

TEST(OneShot, ABudgetOutOfReachSaysWhatStopsIt) {
    auto network = toy::residual();
    auto options = keep_macs(0.01);
    options.allocation.min_channels = 4;
    try {
        prune_module(*network.module, network.forward, {toy::image()}, options);
        FAIL() << "no error";
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("4"));
    }
}

}  // namespace
}  // namespace mtlprune::one_shot_test
