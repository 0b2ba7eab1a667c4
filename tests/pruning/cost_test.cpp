#include "pruning/cost/cost.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "pruning/graph/script_graph.h"
#include "pruning/surgery/surgery.h"
#include "tests/pruning/toy_networks.h"

namespace mtlprune::cost_test {
namespace {

int64_t count_parameters(const torch::nn::Module& module) {
    int64_t count = 0;
    for (const auto& parameter : module.parameters()) count += parameter.numel();
    return count;
}

/// Convolutions of the multi-task network on one square image, from its definition.
int64_t multi_task_macs(const std::vector<int64_t>& widths, int64_t head_width,
                        const std::vector<int64_t>& outputs, int64_t side) {
    int64_t macs = 0, in = 3;
    for (size_t l = 0; l < widths.size(); ++l) {
        macs += side * side * 9 * in * widths[l];
        in = widths[l];
        if (l == 1 || l == 3 || l == 6 || l == 9 || l == 12) side /= 2;
    }
    for (const int64_t out : outputs)
        macs += 4 * side * side * (9 * in * head_width + head_width * head_width + head_width * out);
    return macs;
}

TEST(Cost, OfTheMultiTaskModelIsExactBeforeAndAfterSurgery) {
    auto model = toy::multi_task_model();
    const auto coupling = toy::couple(model, 72);
    const auto before = cost_of(coupling.graph);
    EXPECT_EQ(before.parameters, count_parameters(*model));
    EXPECT_EQ(before.macs, multi_task_macs(toy::small_config().channels, 8, {40, 3, 1}, 72));
    EXPECT_EQ(cost_of(coupling, channel_counts(coupling.groups)), before);

    std::vector<std::vector<int64_t>> removed(coupling.groups.size());
    for (const size_t g : select_groups(coupling.groups, "backbone\\..*"))
        removed[g] = toy::random_removal(coupling.groups, 8)[g];
    apply_plan(*model, coupling.groups, removed);
    const auto after = cost_of(toy::couple(model, 72).graph);
    EXPECT_LT(after.parameters, before.parameters);
    EXPECT_EQ(after.parameters, count_parameters(*model));
    EXPECT_EQ(after.macs, multi_task_macs(widths(*model), 8, {40, 3, 1}, 72));
}

int64_t activation_bytes_of(const std::string& expression) {
    torch::jit::Module module("net");
    module.define("def forward(self, x):\n  return " + expression + "\n");
    return cost_of(trace(module, {torch::ones({2, 3, 4, 4})}).graph).activation_bytes;
}

TEST(Cost, ViewsTakeNoMemoryUnlessTheyConvert) {
    for (const char* view : {"torch.swapaxes(x, 1, 2)", "torch.moveaxis(x, [1], [3])", "x.unfold(2, 2, 2)",
                             "torch.broadcast_to(x, [5, 2, 3, 4, 4])", "x.to(6)"})
        EXPECT_EQ(activation_bytes_of(view), 0) << view;
    EXPECT_EQ(activation_bytes_of("torch.relu(x)"), 4 * 96);
    EXPECT_EQ(activation_bytes_of("x.to(7)"), 8 * 96);  // float64
}

/// The formula above is right: an independent tool counted 38,283,015,872 for the paper's network at 321 x
/// 321.
TEST(Cost, ReferenceFormulaGivesThePublishedNetworksCount) {
    const PaperNetwork config;
    EXPECT_EQ(multi_task_macs(config.channels, config.hidden, {40, 3, 1}, 321), 38'283'015'872);
}

TEST(Cost, PredictedEqualsMeasuredAfterSurgery) {
    for (const uint64_t key : {1, 2, 3}) {
        auto model = toy::multi_task_model();
        const auto coupling = toy::couple(model);
        auto groups = coupling.groups;
        for (int round = 0; round < 2; ++round) {
            const auto plan = apply_plan(*model, groups, toy::random_removal(groups, key + 10 * round));
            remove_channels(groups, plan);
            EXPECT_EQ(cost_of(coupling, channel_counts(groups)), cost_of(toy::couple(model).graph));
        }
    }
    for (const auto& build : {toy::residual, toy::concatenation, toy::classifier, toy::assorted}) {
        const auto network = build();
        const auto coupling = toy::couple(network);
        auto groups = coupling.groups;
        remove_channels(groups, apply_plan(*network.module, groups, toy::random_removal(groups, 6)));
        EXPECT_EQ(cost_of(coupling, channel_counts(groups)), cost_of(toy::couple(network).graph));
        EXPECT_EQ(cost_of(coupling, channel_counts(groups)).parameters, count_parameters(*network.module));
    }
}

TEST(Cost, OfAClassifierByHand) {
    const auto cost = cost_of(toy::couple(toy::classifier()).graph);
    // conv 3 -> 5 at 8 x 8, depthwise 5 -> 10 at 4 x 4, linear 160 -> 7 -> 3
    EXPECT_EQ(cost.macs, 64 * 5 * 27 + 16 * 10 * 9 + 160 * 7 + 7 * 3);
    // conv, norm, relu, pool, depthwise, hidden, relu, last; flatten shares memory; 8 bytes each
    EXPECT_EQ(cost.activation_bytes, 8 * (3 * 5 * 64 + 5 * 16 + 10 * 16 + 7 + 7 + 3));
}

TEST(Cost, OfAssortedOperatorsByHand) {
    const auto cost = cost_of(toy::couple(toy::assorted()).graph);
    // conv 3 -> 8 and grouped 8 -> 6 (4 each) at 8 x 8, up: each of 64 x 6 inputs to 4 x 2 x 2, table 4 -> 2
    EXPECT_EQ(cost.macs, 64 * 8 * 27 + 64 * 6 * 4 * 9 + 64 * 6 * 16 + 2 * 4);
}

TEST(Cost, InPlaceResultsCountOnce) {
    const auto cost = cost_of(toy::couple(toy::residual()).graph);
    EXPECT_EQ(cost.activation_bytes, 8 * 64 * (6 + 6 + 6 + 6 + 2));  // first, relu, second, sum, last
}

TEST(Cost, GrowsWithTheBatch) {
    const auto network = toy::residual();
    const auto one = cost_of(trace(*network.module, network.forward, {toy::image(1)}));
    const auto three = cost_of(trace(*network.module, network.forward, {toy::image(3)}));
    EXPECT_EQ(three.macs, 3 * one.macs);
    EXPECT_EQ(three.activation_bytes, 3 * one.activation_bytes);
    EXPECT_EQ(three.parameters, one.parameters);
}

TEST(Cost, CountsMustFitTheGroups) {
    const auto coupling = toy::couple(toy::residual());
    EXPECT_THROW(cost_of(coupling, {1}), Error);
}

/// MACs of one operator written in TorchScript, on inputs of these shapes.
int64_t operator_macs(const std::string& forward, const std::vector<std::vector<int64_t>>& inputs) {
    torch::jit::Module module("net");
    module.define(forward);
    std::vector<c10::IValue> tensors;
    for (const auto& shape : inputs) tensors.emplace_back(torch::zeros(shape));
    return cost_of(trace(module, tensors).graph).macs;
}

TEST(Cost, OfProductsOfActivations) {
    EXPECT_EQ(operator_macs("def forward(self, x, y):\n  return torch.einsum('bhnd,bhmd->bhnm', [x, y])\n",
                            {{2, 3, 5, 7}, {2, 3, 6, 7}}),
              2 * 3 * 5 * 6 * 7);
    EXPECT_EQ(operator_macs("def forward(self, x, y):\n  return torch.einsum('...i,ij', [x, y])\n",
                            {{4, 5, 7}, {7, 6}}),
              4 * 5 * 7 * 6);
    EXPECT_EQ(operator_macs("def forward(self, x, y, w):\n  return torch.bilinear(x, y, w, None)\n",
                            {{4, 5}, {4, 3}, {6, 5, 3}}),
              4 * 6 * 5 * 3);
    EXPECT_EQ(operator_macs("def forward(self, q, k, v):\n  return " + toy::attention_call("q, k, v") + "\n",
                            {{2, 3, 5, 8}, {2, 3, 6, 8}, {2, 3, 6, 4}}),
              2 * 3 * 5 * 6 * (8 + 4));
}

TEST(Cost, OfRecurrentLayers) {
    const std::string lstm =
        "def forward(self, x, h, c, i, r, b):\n"
        "  y, hn, cn = torch.lstm(x, [h, c], [i, r, b, b], True, 1, 0.0, False, False, True)\n  return y\n";
    EXPECT_EQ(operator_macs(lstm, {{3, 7, 5}, {1, 3, 6}, {1, 3, 6}, {24, 5}, {24, 6}, {24}}),
              3 * 7 * 24 * (5 + 6));
    EXPECT_EQ(
        operator_macs("def forward(self, x, h, i, r):\n  return torch.gru_cell(x, h, i, r, None, None)\n",
                      {{3, 5}, {3, 6}, {18, 5}, {18, 6}}),
        3 * 18 * (5 + 6));
}

}  // namespace
}  // namespace mtlprune::cost_test
