// The check of pruned networks at other sizes of their inputs, in precisions that processors compute, and
// with weights in buffers.
#include "pruning/surgery/other_sizes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn.h>
#include <torch/utils.h>

#include "base/error.h"
#include "pruning/graph/script_network.h"
#include "pruning/network/prune.h"
#include "tests/pruning/toy_networks.h"

namespace mtlprune::other_sizes_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Shapes = std::vector<std::vector<int64_t>>;

/// What the shapes become.
Shapes applied(Shapes shapes, const SizeChanges& changes) {
    for (const auto& change : changes) shapes[change.input][change.dim] = change.to;
    return shapes;
}

TEST(OtherSizes, EveryDimensionThatMayVaryDoes) {
    const Shapes shapes = {{2, 3, 32, 24}};
    const auto found = find_other_sizes(shapes, [&](const SizeChanges& changes) {
        const auto now = applied(shapes, changes)[0];
        return now[1] == 3 && now[2] % 8 == 0 && now[3] % 8 == 0;
    });
    EXPECT_THAT(applied(shapes, found), ElementsAre(ElementsAre(3, 3, 16, 16)));
}

TEST(OtherSizes, DimensionsThatMustBeEqualChangeTogether) {
    // Tokens and their mask; square images.
    const Shapes shapes = {{4, 6, 12}, {4, 6}};
    const auto found = find_other_sizes(shapes, [&](const SizeChanges& changes) {
        const auto now = applied(shapes, changes);
        return now[0][0] == now[1][0] && now[0][1] == now[1][1] && now[0][2] == 12;
    });
    EXPECT_THAT(applied(shapes, found), ElementsAre(ElementsAre(3, 3, 12), ElementsAre(3, 3)));
}

TEST(OtherSizes, NothingWhereNothingElseIsAccepted) {
    EXPECT_THAT(find_other_sizes({{2, 5}, {}}, [](const SizeChanges&) { return false; }), ElementsAre());
}

TEST(OtherSizes, InputsRepeatTheirEntries) {
    const auto x = torch::arange(6).reshape({2, 3});
    const auto resized = with_sizes({x, c10::List<torch::Tensor>({x})}, {{0, 1, 3, 2}, {1, 0, 2, 3}});
    EXPECT_TRUE(resized[0].toTensor().equal(x.slice(1, 0, 2)));
    EXPECT_TRUE(resized[1].toTensorVector()[0].equal(torch::cat({x, x.slice(0, 0, 1)})));
    EXPECT_EQ(describe({{2, 3}, {2, 3}}, {{1, 0, 2, 3}}), "input 1: 2x3 -> 3x3");
}

/// Float64 parameters drawn from a fixed key.
torch::jit::Module script(const std::vector<std::pair<std::string, std::vector<int64_t>>>& parameters,
                          const std::string& forward,
                          const std::vector<std::pair<std::string, torch::Tensor>>& buffers = {}) {
    torch::jit::Module module("net");
    for (const auto& [name, tensor] : buffers) module.register_buffer(name, tensor);
    module.register_attribute("training", c10::BoolType::get(), false);
    uint64_t key = 1;
    for (const auto& [name, shape] : parameters)
        module.register_parameter(name, toy::uniform(shape, key++), false);
    module.define(forward);
    return module;
}

/// Two linear layers of `hidden` channels with `body` on h [n, hidden] between them.
torch::jit::Module between(const std::string& body, int64_t hidden = 8) {
    return script({{"w1", {hidden, 5}}, {"b1", {hidden}}, {"w2", {3, hidden}}, {"b2", {3}}},
                  "def forward(self, x):\n  h = torch.relu(torch.linear(x, self.w1, self.b1))\n" + body +
                      "  return torch.linear(h, self.w2, self.b2)\n");
}

torch::Tensor rows(int64_t count) {
    return toy::uniform({count, 5}, 99);
}

PruneReport prune_half(torch::jit::Module& module, std::vector<c10::IValue> inputs,
                       const CouplingOptions& coupling = {}) {
    ScriptNetwork network(module, std::move(inputs));
    PruneOptions options;
    options.coupling = coupling;
    options.allocation.budget.value = 0.5;
    return prune(network, criteria().make("l2"), options);
}

TEST(OtherSizes, TheReportSaysWhatWasConfirmed) {
    auto module = between("  h = h.view(h.size(0) * 8).view(-1, 8)\n");
    const auto report = prune_half(module, {rows(2)});
    EXPECT_EQ(report.removed_channels, 4);
    EXPECT_THAT(report.other_sizes, ElementsAre(SizeChange{0, 0, 2, 3}));
    EXPECT_THAT(report.notes, ElementsAre());
}

/// `pruned` as what is left of `original` without the first four channels.
Verification verify_without_half(torch::jit::Module original, torch::jit::Module pruned,
                                 const std::vector<c10::IValue>& inputs = {rows(2)}) {
    const auto groups = couple(original, inputs).groups;
    const auto plan = make_plan(groups, {{0, 1, 2, 3}, {}});
    pruned.setattr("w1", original.attr("w1").toTensor().slice(0, 4));
    pruned.setattr("b1", original.attr("b1").toTensor().slice(0, 4));
    pruned.setattr("w2", original.attr("w2").toTensor().slice(1, 4));
    pruned.setattr("b2", original.attr("b2"));
    return verify(original, pruned, plan, inputs);
}

TEST(OtherSizes, SizesAtWhichThePrunedNetworkFailsAreNamed) {
    const auto result =
        verify_without_half(between("  h = h.view(h.size(0), 8)\n"), between("  h = h.view(2, 4)\n", 4));
    EXPECT_TRUE(result.passed()) << result.found();
    EXPECT_THAT(result.other_sizes, ElementsAre());
    EXPECT_THAT(result.unconfirmed, ElementsAre(HasSubstr("input 0: 2x5 -> 3x5: ")));
}

TEST(OtherSizes, BatchesThatMustBeEqualAreNamedTogether) {
    const std::string add = "  h = torch.relu(torch.linear(x, self.w1, self.b1)) + y.sum(1, True)\n";
    const auto network = [&](const std::string& view, int64_t hidden) {
        return script(
            {{"w1", {hidden, 5}}, {"b1", {hidden}}, {"w2", {3, hidden}}, {"b2", {3}}},
            "def forward(self, x, y):\n" + add + view + "  return torch.linear(h, self.w2, self.b2)\n");
    };
    const auto result = verify_without_half(network("  h = h.view(h.size(0), 8)\n", 8),
                                            network("  h = h.view(2, 4)\n", 4), {rows(2), rows(2)});
    EXPECT_TRUE(result.passed()) << result.found();
    EXPECT_THAT(result.unconfirmed, testing::Contains(HasSubstr("input 0: 2x5 -> 3x5, input 1: 2x5 -> 3x")));
}

TEST(OtherSizes, AnotherResultThereIsAFailure) {
    const auto result = verify_without_half(between("  h = h.view(h.size(0), 8)\n"),
                                            between("  if h.size(0) > 2:\n    h = h * 2\n", 4));
    EXPECT_THAT(result.first_difference, HasSubstr("other sizes (input 0: 2x5 -> 3x5)"));
}

TEST(OtherSizes, ModulesAreCheckedThereToo) {
    auto layers = torch::nn::Sequential(torch::nn::Linear(5, 8), torch::nn::ReLU(), torch::nn::Linear(8, 3));
    const auto forward = [&](const std::vector<torch::Tensor>& inputs) {
        return std::vector<torch::Tensor>{layers->forward(inputs[0])};
    };
    ModuleNetwork network(*layers, forward, {torch::ones({2, 5})});
    const auto report = prune(network, criteria().make("l2"));
    EXPECT_THAT(report.other_sizes, ElementsAre(SizeChange{0, 0, 2, 3}));
}

TEST(OtherSizes, ModulesThatFailThereAreNamed) {
    auto layers = torch::nn::Sequential(torch::nn::Linear(5, 8), torch::nn::ReLU(), torch::nn::Linear(8, 3));
    // Fails with three rows once there are fewer than eight channels.
    const auto forward = [&](const std::vector<torch::Tensor>& inputs) {
        const auto h = layers->ptr(0)->as<torch::nn::Linear>()->forward(inputs[0]);
        TORCH_CHECK(inputs[0].size(0) == 2 || h.size(1) == 8, "three rows");
        return std::vector<torch::Tensor>{layers->ptr(2)->as<torch::nn::Linear>()->forward(h.relu())};
    };
    ModuleNetwork network(*layers, forward, {torch::ones({2, 5})});
    const auto report = prune(network, criteria().make("l2"));
    EXPECT_THAT(report.other_sizes, ElementsAre());
    EXPECT_THAT(report.notes, ElementsAre(HasSubstr("input 0: 2x5 -> 3x5: three rows")));
}

TEST(OtherSizes, HalfPrecisionIsCheckedInASingleOne) {
    auto module = between("  h = torch.layer_norm(h, [8]).to(5)\n");
    module.to(torch::kHalf);
    const auto report = prune_half(module, {rows(2).to(torch::kHalf)});
    EXPECT_EQ(report.removed_channels, 4);
    EXPECT_LT(report.error, 1e-4);
    EXPECT_THAT(report.other_sizes, ElementsAre(SizeChange{0, 0, 2, 3}));
    EXPECT_EQ(module.attr("w1").toTensor().scalar_type(), torch::kHalf);
}

/// Of three rows the view makes twelve channels, which LibTorch does not compare with the eight of the norm.
TEST(OtherSizes, ChannelsThatDoNotFitALayerThereAreNotRead) {
    auto module =
        script({{"w1", {8, 5}}, {"g", {8}}, {"b", {8}}, {"w2", {3, 8}}},
               "def forward(self, x):\n  h = torch.linear(x, self.w1)\n"
               "  return torch.linear(h, self.w2), torch.group_norm(h.view(2, -1), 2, self.g, self.b)\n");
    EXPECT_THAT(prune_half(module, {rows(2)}).other_sizes, ElementsAre());
}

TEST(OtherSizes, WeightsInBuffersOfIntegersPass) {
    auto module = script({{"s1", {8, 1}}, {"b1", {8}}, {"w2", {3, 8}}},
                         "def forward(self, x):\n"
                         "  h = torch.relu(torch.linear(x, self.w1.to(x.dtype) * self.s1, self.b1))\n"
                         "  return torch.linear(h, self.w2)\n",
                         {{"w1", (toy::uniform({8, 5}, 7) * 100).to(torch::kInt8)}});
    const auto report = prune_half(module, {rows(2)});
    EXPECT_EQ(report.removed_channels, 4);
    EXPECT_LT(report.error, 1e-9);
}

TEST(OtherSizes, RowsOfATableThatInputsReachStay) {
    auto module = script({{"table", {16, 8}}, {"w1", {8, 5}}, {"w2", {3, 8}}},
                         "def forward(self, x):\n"
                         "  n = x.size(0)\n"
                         "  h = torch.relu(torch.linear(x, self.w1)) + self.table[8 - n:8]\n"
                         "  return torch.linear(h, self.w2)\n");
    const auto report = prune_half(module, {rows(2)});
    EXPECT_EQ(module.attr("table").toTensor().sizes(), torch::IntArrayRef({16, 4}));
    EXPECT_THAT(report.other_sizes, ElementsAre(SizeChange{0, 0, 2, 3}));
}

TEST(OtherSizes, ATypeTakenFromAnotherTensorTakesNoChannels) {
    // arange has labels of its own, of another size.
    auto module = script({{"w1", {8, 5}}, {"scale", {4}}, {"w2", {3, 8}}},
                         "def forward(self, x):\n"
                         "  t = torch.outer(torch.arange(x.size(0)).type_as(self.scale), self.scale)\n"
                         "  h = torch.relu(torch.linear(x, self.w1)) * torch.cat([t, t], 1).to(x)\n"
                         "  return torch.linear(h, self.w2)\n");
    EXPECT_EQ(prune_half(module, {rows(3)}).removed_channels, 2);
}

TEST(Notes, OptionsWithoutEffectSaySo) {
    auto module = between("");
    CouplingOptions heads;
    heads.whole_heads = true;
    EXPECT_THAT(prune_half(module, {rows(2)}, heads).notes,
                ElementsAre(HasSubstr("whole heads had no effect")));
    auto rounded = between("");
    ScriptNetwork network(rounded, {rows(2)});
    PruneOptions options;
    options.allocation.budget.value = 0.25;
    options.allocation.round_to = 8;
    const auto report = prune(network, criteria().make("l2"), options);
    EXPECT_EQ(report.removed_channels, 0);
    EXPECT_THAT(report.notes, ElementsAre(HasSubstr("rounding to multiples of 8 keeps all channels of ")));
}

TEST(Notes, AReasonNamesWhereTheFreezeBegan) {
    auto module = between("  h = torch.softmax(h, 1)\n  h = torch.relu(h)\n");
    const auto report = prune_half(module, {rows(2)});
    std::string reason;
    for (const auto& frozen : report.frozen)
        if (frozen.tensor == "w2" && frozen.dim == 1) reason = frozen.reason;
    EXPECT_THAT(reason, HasSubstr("aten::linear"));
    EXPECT_THAT(reason, HasSubstr("(aten::softmax"));
}

TEST(OtherSizes, RotatedQueriesLoseWholeHeadsWhereAskedTo) {
    const std::string heads = ".view(x.size(0), x.size(1), 4, 4).transpose(1, 2)\n";
    auto module =
        script({{"q", {16, 6}}, {"k", {16, 6}}, {"v", {16, 6}}, {"inv", {2}}, {"o", {5, 16}}},
               "def forward(self, x):\n"
               "  q = torch.linear(x, self.q)" +
                   heads + "  k = torch.linear(x, self.k)" + heads + "  v = torch.linear(x, self.v)" + heads +
                   "  f = torch.outer(torch.arange(x.size(1), dtype=7), self.inv)\n"
                   "  e = torch.cat([f, f], -1)\n"
                   "  a, b = torch.chunk(q, 2, -1)\n"
                   "  q = q * e.cos() + torch.cat([-b, a], -1) * e.sin()\n"
                   "  a, b = torch.chunk(k, 2, -1)\n"
                   "  k = k * e.cos() + torch.cat([-b, a], -1) * e.sin()\n"
                   "  a = torch.softmax(q @ k.transpose(2, 3), -1) @ v\n"
                   "  return torch.linear(a.transpose(1, 2).reshape(x.size(0), x.size(1), 16), self.o)\n");
    CouplingOptions options;
    options.whole_heads = true;
    const auto report = prune_half(module, {toy::uniform({2, 6, 6}, 1)}, options);
    EXPECT_EQ(module.attr("inv").toTensor().size(0), 2);
    int64_t checked = 0;
    for (const auto& slices : report.steps.at(0).slices) {
        if (slices.tensor == "o" || slices.dim != 0) continue;
        ++checked;
        ASSERT_EQ(slices.indices.size(), 8u) << slices.tensor;
        for (size_t i = 0; i < 8; ++i)
            EXPECT_EQ(slices.indices[i], slices.indices[i / 4 * 4] + static_cast<int64_t>(i % 4));
    }
    EXPECT_EQ(checked, 3);
    EXPECT_EQ(report.other_sizes.size(), 2u);
}

}  // namespace
}  // namespace mtlprune::other_sizes_test
