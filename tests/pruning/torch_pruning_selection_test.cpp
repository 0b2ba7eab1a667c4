// The default scores and ratios remove the channels that Torch-Pruning 1.6.1 removes:
// GroupMagnitudeImportance with p = 1 and 2, ratio 0.4, pruner.step(interactive=True), on the same networks
// with the same weights.
#include <gtest/gtest.h>
#include <torch/utils.h>

#include "pruning/allocation/allocation.h"
#include "pruning/criteria/criterion.h"
#include "pruning/network/network.h"
#include "pruning/surgery/plan.h"
#include "tests/pruning/toy_networks.h"

namespace mtlprune::torch_pruning_selection_test {
namespace {

using Tensors = std::vector<torch::Tensor>;

/// Parameter k, element i: sin((0.7 + 0.13 k) i + k) + 0.3 sin(0.011 i^2).
toy::Network filled(toy::Network network, TracedFunction forward) {
    const torch::NoGradGuard no_grad;
    network = toy::finish(std::move(network), std::move(forward));
    double k = 0;
    for (auto& item : network.module->named_parameters()) {
        const auto i = torch::arange(item.value().numel(), torch::kFloat64);
        const auto values = torch::sin(i * (0.7 + 0.13 * k) + k) + 0.3 * torch::sin(i * i * 0.011);
        item.value().copy_(values.view(item.value().sizes()));
        ++k;
    }
    return network;
}

torch::nn::BatchNorm2d norm(toy::Network& n, const std::string& name, int64_t channels) {
    return n.module->register_module(name, torch::nn::BatchNorm2d(channels));
}

torch::nn::Linear linear(toy::Network& n, const std::string& name, int64_t in, int64_t out) {
    return n.module->register_module(name, torch::nn::Linear(in, out));
}

toy::Network residual() {
    toy::Network n;
    auto conv1 = n.convolution("conv1", 3, 8);
    auto bn1 = norm(n, "bn1", 8);
    auto conv2 = n.convolution("conv2", 8, 12);
    auto bn2 = norm(n, "bn2", 12);
    auto conv3 = n.convolution("conv3", 12, 8);
    auto bn3 = norm(n, "bn3", 8);
    auto last = linear(n, "last", 8, 5);
    return filled(n, [=](const Tensors& in) mutable -> Tensors {
        const auto x = torch::relu(bn1(conv1(in[0])));
        return {last(torch::relu(x + bn3(conv3(torch::relu(bn2(conv2(x)))))).mean({2, 3}))};
    });
}

toy::Network grouped() {
    toy::Network n;
    auto conv1 = n.convolution("conv1", 3, 12), conv2 = n.convolution("conv2", 12, 18, 3, 3),
         conv3 = n.convolution("conv3", 18, 6);
    auto last = linear(n, "last", 6, 3);
    return filled(n, [=](const Tensors& in) mutable -> Tensors {
        return {last(torch::relu(conv3(torch::relu(conv2(torch::relu(conv1(in[0])))))).mean({2, 3}))};
    });
}

toy::Network flattened() {
    toy::Network n;
    auto conv1 = n.convolution("conv1", 3, 6);
    auto hidden = linear(n, "hidden", 384, 10), last = linear(n, "last", 10, 4);
    return filled(n, [=](const Tensors& in) mutable -> Tensors {
        return {last(torch::relu(hidden(torch::relu(conv1(in[0])).flatten(1))))};
    });
}

toy::Network joined() {
    toy::Network n;
    auto left = n.convolution("left", 3, 5), right = n.convolution("right", 3, 7);
    auto bn = norm(n, "norm", 12);
    torch::nn::ConvTranspose2d up = n.module->register_module(
        "up", torch::nn::ConvTranspose2d(torch::nn::ConvTranspose2dOptions(12, 8, 2).stride(2)));
    auto depth = n.convolution("depth", 8, 8, 3, 8), last = n.convolution("last", 8, 4);
    return filled(n, [=](const Tensors& in) mutable -> Tensors {
        const auto x = torch::relu(bn(torch::cat({left(in[0]), right(in[0])}, 1)));
        return {last(depth(torch::relu(up(x))))};
    });
}

struct Case {
    toy::Network (*network)();
    const char* score;
    RankingScope scope;
    std::map<std::string, std::vector<int64_t>> removed;  ///< output channels per layer
};

std::vector<Case> cases() {
    return {
        {&residual, "l1", RankingScope::local, {{"conv2", {0, 3, 6, 7, 9}}, {"conv3", {0, 2, 4, 6}}}},
        {&residual, "l1", RankingScope::global, {{"conv2", {0, 3, 6, 7}}, {"conv3", {0, 2, 4, 6}}}},
        {&residual, "l1", RankingScope::isomorphic, {{"conv2", {0, 3, 6, 7, 9}}, {"conv3", {0, 2, 4, 6}}}},
        {&residual, "l2", RankingScope::local, {{"conv2", {0, 3, 6, 7, 9}}, {"conv3", {0, 2, 4, 6}}}},
        {&residual, "l2", RankingScope::global, {{"conv2", {0, 3, 6, 7, 9}}, {"conv3", {0, 2, 6}}}},
        {&residual, "l2", RankingScope::isomorphic, {{"conv2", {0, 3, 6, 7, 9}}, {"conv3", {0, 2, 4, 6}}}},
        {&grouped,
         "l1",
         RankingScope::local,
         {{"conv1", {2, 3, 6, 7, 10, 11}}, {"conv2", {0, 2, 4, 6, 8, 10, 12, 14, 16}}, {"conv3", {1, 3, 5}}}},
        {&grouped,
         "l1",
         RankingScope::global,
         {{"conv1", {2, 3, 6, 7, 10, 11}}, {"conv2", {0, 2, 4, 6, 8, 10, 12, 14, 16}}, {"conv3", {1, 5}}}},
        {&grouped,
         "l1",
         RankingScope::isomorphic,
         {{"conv1", {2, 6, 10}}, {"conv2", {0, 2, 4, 6, 8, 10, 12, 14, 16}}, {"conv3", {1, 3, 5}}}},
        {&grouped,
         "l2",
         RankingScope::local,
         {{"conv1", {2, 3, 6, 7, 10, 11}}, {"conv2", {0, 2, 4, 6, 8, 10, 12, 14, 16}}, {"conv3", {1, 3, 5}}}},
        {&grouped,
         "l2",
         RankingScope::global,
         {{"conv1", {2, 3, 6, 7, 10, 11}}, {"conv2", {0, 2, 4, 6, 8, 10, 12, 14, 16}}, {"conv3", {1, 5}}}},
        {&grouped,
         "l2",
         RankingScope::isomorphic,
         {{"conv1", {2, 6, 10}}, {"conv2", {0, 2, 4, 6, 8, 10, 12, 14, 16}}, {"conv3", {1, 3, 5}}}},
        {&flattened, "l1", RankingScope::local, {{"conv1", {0, 2, 3}}, {"hidden", {0, 2, 4, 5}}}},
        {&flattened, "l1", RankingScope::global, {{"conv1", {0, 2, 3, 5}}, {"hidden", {0, 2, 5}}}},
        {&flattened, "l1", RankingScope::isomorphic, {{"conv1", {0, 2, 3}}, {"hidden", {0, 2, 4, 5}}}},
        {&flattened, "l2", RankingScope::local, {{"conv1", {0, 1, 2}}, {"hidden", {0, 2, 4, 5}}}},
        {&flattened, "l2", RankingScope::global, {{"conv1", {0, 1, 2, 5}}, {"hidden", {0, 2, 5}}}},
        {&flattened, "l2", RankingScope::isomorphic, {{"conv1", {0, 1, 2}}, {"hidden", {0, 2, 4, 5}}}},
        {&joined,
         "l1",
         RankingScope::local,
         {{"depth", {3, 4, 5, 7}}, {"left", {0, 4}}, {"right", {1, 5, 6}}}},
        {&joined, "l1", RankingScope::global, {{"depth", {3, 4, 5, 7}}, {"left", {0, 4}}, {"right", {1, 6}}}},
        {&joined,
         "l1",
         RankingScope::isomorphic,
         {{"depth", {3, 4, 5, 7}}, {"left", {0, 4}}, {"right", {1, 5, 6}}}},
        {&joined,
         "l2",
         RankingScope::local,
         {{"depth", {3, 4, 5, 7}}, {"left", {0, 1}}, {"right", {0, 1, 2}}}},
        {&joined, "l2", RankingScope::global, {{"depth", {3, 4, 5, 7}}, {"left", {0, 1}}, {"right", {1, 2}}}},
        {&joined,
         "l2",
         RankingScope::isomorphic,
         {{"depth", {3, 4, 5, 7}}, {"left", {0, 1}}, {"right", {0, 1, 2}}}}};
}

std::map<std::string, std::vector<int64_t>> removed_outputs(const Case& c) {
    const auto network = c.network();
    const auto coupling = toy::couple(network);
    AllocationOptions options;
    options.scope = c.scope;
    options.budget.value = 0.4;
    const auto scores = scores_without_data(*criteria().make(c.score), coupling.graph, coupling.groups,
                                            stored_tensors(*network.module))
                            .scores;
    const auto allocation = allocate(coupling, coupling.groups, scores, options);
    std::map<std::string, std::vector<int64_t>> removed;
    for (const auto& removal : make_plan(coupling.groups, allocation.removed).slices)
        for (const auto& [layer, channels] : c.removed)
            if (removal.tensor == layer + ".weight" && removal.dim == (layer == "up" ? 1 : 0))
                removed[layer] = removal.indices;
    return removed;
}

TEST(TorchPruningSelection, IsReproduced) {
    int number = 0;
    for (const auto& c : cases()) EXPECT_EQ(removed_outputs(c), c.removed) << "case " << number++;
}

}  // namespace
}  // namespace mtlprune::torch_pruning_selection_test
