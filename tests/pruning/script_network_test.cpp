#include "pruning/graph/script_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>
#include <torch/version.h>

#include <sstream>

#include "base/error.h"
#include "pruning/surgery/verification.h"
#include "tests/pruning/toy_networks.h"

namespace mtlprune::script_network_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// Float64, values drawn from a fixed key.
torch::jit::Module script(const std::vector<std::pair<std::string, std::vector<int64_t>>>& parameters,
                          const std::string& forward) {
    torch::jit::Module module("net");
    module.register_attribute("training", c10::BoolType::get(), false);
    uint64_t key = 1;
    for (const auto& [name, shape] : parameters)
        module.register_parameter(name, toy::uniform(shape, key++), false);
    module.define(forward);
    return module;
}

const std::vector<std::pair<std::string, std::vector<int64_t>>> kLinears = {
    {"w1", {8, 5}}, {"b1", {8}}, {"w2", {3, 8}}, {"b2", {3}}};

/// first linear -> `body` on h [n, 8] -> second linear
torch::jit::Module between(const std::string& body) {
    return script(kLinears, "def forward(self, x):\n  h = torch.relu(torch.linear(x, self.w1, self.b1))\n" +
                                body + "  return torch.linear(h, self.w2, self.b2)\n");
}

torch::Tensor rows(int64_t count) {
    return toy::uniform({count, 5}, 99);
}

std::vector<std::vector<int64_t>> first_half(const std::vector<Group>& groups) {
    std::vector<std::vector<int64_t>> removed(groups.size());
    for (size_t g = 0; g < groups.size(); ++g)
        for (int64_t c = 0; c < groups[g].channels / 2 && !groups[g].frozen; ++c) removed[g].push_back(c);
    return removed;
}

struct Pruned {
    torch::jit::Module module;
    Plan plan;
};

/// Prunes half of every free group of a network made by `make` and expects what `verify` expects.
template <typename Make>
Pruned prune_half(const Make& make, int64_t batch = 2) {
    auto original = make(), module = make();
    const auto coupling = couple(module, {rows(batch)});
    const auto plan = make_plan(coupling.groups, first_half(coupling.groups));
    apply_plan(module, coupling, plan);
    const auto check = verify(original, module, plan, {rows(batch)});
    EXPECT_TRUE(check.passed()) << check.first_difference << ", " << check.error;
    return {module, plan};
}

std::string bytes(const torch::jit::Module& module) {
    std::ostringstream stream;
    module.save(stream);
    return stream.str();
}

TEST(ScriptNetwork, LosesChannelsAndStaysDynamicInItsBatch) {
    const auto make = [] { return between(""); };
    auto [module, plan] = prune_half(make, 2);
    EXPECT_EQ(module.attr("w1").toTensor().size(0), 4);
    EXPECT_EQ(module.attr("w2").toTensor().size(1), 4);
    EXPECT_EQ(module.forward({rows(7)}).toTensor().sizes(), (std::vector<int64_t>{7, 3}));
}

TEST(ScriptNetwork, SizesWrittenIntoTheCodeFollow) {
    const auto make = [] {
        return between(
            "  h = h.view(-1, 4, 2).transpose(1, 2).reshape(-1, 8)\n  h = h.expand(h.size(0), 8) + "
            "torch.zeros([1, 8], "
            "dtype=7)\n");
    };
    auto [module, plan] = prune_half(make);
    EXPECT_LT(module.attr("w1").toTensor().size(0), 8);
    EXPECT_EQ(module.forward({rows(3)}).toTensor().size(0), 3);
}

TEST(ScriptNetwork, SizesThatTheCodeComputesFollowTheWeights) {
    // The width of a head is computed from the input's size, which does not shrink with the hidden channels.
    const auto make = [] {
        return between("  d = (x.size(1) - 1) // 2\n  h = h.view(x.size(0), 8 // d, d).flatten(1)\n");
    };
    prune_half(make);
}

/// What a pruned network gives for more rows than the example had, compared with zeroed channels.
void expect_other_batch_runs(const std::string& body) {
    SCOPED_TRACE(body);
    const auto make = [&] { return between(body); };
    auto [module, plan] = prune_half(make);
    auto zeroed = make();
    zero_removed(zeroed, plan);
    const auto found = module.forward({rows(7)}).toTensor(), expected = zeroed.forward({rows(7)}).toTensor();
    EXPECT_LT(toy::relative_difference(found, expected), 1e-10);
}

TEST(ScriptNetwork, ComputedSizesStayComputed) {
    // A channel count that stands in the code, multiplied with a size that inputs decide.
    expect_other_batch_runs("  h = h.view(h.size(0) * 8, 1).relu().view(h.size(0), 8)\n");
    expect_other_batch_runs("  n = torch.tensor(h.size(0)) * 8\n  h = h.view(int(n)).view(-1, 8)\n");
    // A product of both, computed.
    expect_other_batch_runs("  h = h.view(h.size(0) * h.size(1)).view(x.size(0), h.size(1))\n");
    expect_other_batch_runs("  h = h.view(h.numel()).view(h.numel() // 8, 8)\n");
    // Lists of sizes, cut and put together.
    expect_other_batch_runs("  h = h.view(h.shape[:1] + [2, 4]).view(h.shape[:-1] + [8])\n");
    expect_other_batch_runs("  s = [x.size(0) * 2, 4]\n  h = h.view(s).view(s[0] // 2, 8)\n");
    // A number that must keep its value: it depends on both.
    expect_other_batch_runs("  h = h / (h.size(1) * h.size(0)) * float(h.size(0))\n");
    expect_other_batch_runs("  h = h / (float(h.size(1)) ** 0.5 * h.size(0))\n");
}

TEST(ScriptNetwork, CodeThatNobodyReadsAnyMoreLeaves) {
    // Four channels are no eight: the code would compute another size.
    const auto make = [] { return between("  h = h.reshape([2, h.size(1) // 8 * 8])\n"); };
    EXPECT_THAT(make().get_method("forward").graph()->toString(), HasSubstr("aten::size"));
    const auto pruned = prune_half(make).module;
    EXPECT_THAT(pruned.get_method("forward").graph()->toString(), Not(HasSubstr("aten::size")));
}

TEST(ScriptNetwork, AScaleComputedFromASizeKeepsItsValue) {
    const auto make = [] { return between("  h = h / float(h.size(1)) ** 0.5\n"); };
    prune_half(make);
}

TEST(ScriptNetwork, AttentionThatScalesByTheWidthOfItsHeadsKeepsItsScale) {
    const std::vector<std::pair<std::string, std::vector<int64_t>>> parameters = {
        {"wq", {8, 5}}, {"wk", {8, 5}}, {"wv", {8, 5}}, {"wo", {3, 8}}};
    const auto make = [&] {
        return script(parameters,
                      "def forward(self, x):\n"
                      "  q = torch.linear(x, self.wq).view(1, -1, 2, 4).transpose(1, 2)\n"
                      "  k = torch.linear(x, self.wk).view(1, -1, 2, 4).transpose(1, 2)\n"
                      "  v = torch.linear(x, self.wv).view(1, -1, 2, 4).transpose(1, 2)\n"
                      "  y = " +
                          toy::attention_call("q, k, v") +
                          "\n  return torch.linear(y.transpose(1, 2).flatten(2), self.wo)\n");
    };
    const auto pruned = prune_half(make, 6);
    for (const char* name : {"wq", "wk", "wv"})
        EXPECT_EQ(pruned.module.attr(name).toTensor().size(0), 4) << name;
}

#if TORCH_VERSION_MAJOR >= 2
TEST(ScriptNetwork, HeadsThatShareKeysAndValuesLoseTheSameChannels) {
    const auto make = [] {
        return script({{"wq", {16, 5}}, {"wk", {8, 5}}, {"wv", {8, 5}}, {"wo", {3, 16}}},
                      "def forward(self, x):\n"
                      "  q = torch.linear(x, self.wq).view(1, -1, 4, 4).transpose(1, 2)\n"
                      "  k = torch.linear(x, self.wk).view(1, -1, 2, 4).transpose(1, 2)\n"
                      "  v = torch.linear(x, self.wv).view(1, -1, 2, 4).transpose(1, 2)\n"
                      "  y = torch.scaled_dot_product_attention(q, k, v, enable_gqa=True)\n"
                      "  return torch.linear(y.transpose(1, 2).flatten(2), self.wo)\n");
    };
    const auto pruned = prune_half(make, 6);
    EXPECT_EQ(pruned.module.attr("wq").toTensor().size(0), 8);
    for (const char* name : {"wk", "wv"}) EXPECT_EQ(pruned.module.attr(name).toTensor().size(0), 4) << name;
}
#endif

TEST(ScriptNetwork, BoundsShiftsAndIndicesFollow) {
    const auto make = [] {
        return between(
            "  h = torch.cat([h[:, :3], torch.tanh(h[:, 3:]) * 2], 1)\n  h = torch.roll(h, [3], [1])\n"
            "  h = torch.index_select(h, 1, torch.tensor([7, 1, 2, 3, 4, 5, 6, 0]))\n  h = h + h[:, "
            "-3:].sum(1, keepdim=True)\n");
    };
    prune_half(make);
}

TEST(ScriptNetwork, LoopsAndBranchesAreFollowedAsTheInputsTakeThem) {
    const auto make = [] {
        return between(
            "  for i in range(3):\n    if i % 2 == 0:\n      h = torch.relu(h - 0.0)\n    else:\n      h = h "
            "* 2.0\n");
    };
    prune_half(make);
}

TEST(ScriptNetwork, NormalisationOverTheChannelsIsCheckedDensely) {
    std::vector<std::string> bodies = {"  h = torch.layer_norm(h, [8])\n",
                                       "  h = h * torch.rsqrt(h.pow(2).mean([-1], True) + 1e-5)\n",
                                       "  h = h / torch.sqrt((h * h).mean([1]) + 1e-5).unsqueeze(1)\n",
                                       "  w = torch.batch_norm(self.w2.unsqueeze(0), None, None, None, None, "
                                       "True, 0.0, 1e-5, False).squeeze(0)\n"
                                       "  h = h + 0.1 * torch.linear(h, w).sum([1], True)\n"};
#if TORCH_VERSION_MAJOR >= 2
    bodies.push_back("  h = torch.rms_norm(h, [8])\n");
#endif
    for (const auto& body : bodies) {
        SCOPED_TRACE(body);
        const auto make = [&] { return between(body); };
        const auto coupling = couple(make(), {rows(2)});
        EXPECT_TRUE(coupling.groups[0].cross_channel);
        // Without an affine part a channel does not become zero, but its consumer's columns do.
        EXPECT_EQ(prune_half(make).module.attr("w1").toTensor().size(0), 4);
    }
}

TEST(ScriptNetwork, AttentionOverChannelsLosesWholeHeadsOnly) {
    const auto make = [] {
        return script(
            {{"w1", {24, 5}}, {"w2", {3, 8}}},
            "def forward(self, x):\n"
            "  q, k, v = torch.linear(x, self.w1).view(-1, 3, 2, 4).permute([1, 2, 0, 3]).unbind(0)\n"
            "  s = torch.softmax(torch.matmul(q.transpose(1, 2), k), -1)\n"
            "  y = torch.matmul(v, s.transpose(1, 2)).transpose(0, 1).reshape([-1, 8])\n"
            "  return torch.linear(y, self.w2)\n");
    };
    EXPECT_TRUE(couple(make(), {rows(6)}).groups[0].frozen);
    CouplingOptions options;
    options.whole_heads = true;
    auto original = make(), module = make();
    const auto coupling = couple(module, {rows(6)}, options);
    EXPECT_EQ(coupling.groups[0].channels, 2);
    const auto plan = make_plan(coupling.groups, first_half(coupling.groups));
    apply_plan(module, coupling, plan);
    EXPECT_EQ(module.attr("w1").toTensor().size(0), 12);
    EXPECT_TRUE(verify(original, module, plan, {rows(6)}, options).passed());
}

TEST(ScriptNetwork, EveryFrozenDimensionHasAReason) {
    // The network's input has no reason of its own to stay.
    const auto coupling = couple(between("  h = torch.cat([h[:, :3], x], 1)\n"), {rows(2)});
    ASSERT_FALSE(coupling.frozen.empty());
    for (const auto& item : coupling.frozen) EXPECT_NE(item.reason, "") << item.tensor;
}

TEST(ScriptNetwork, TheSamePruningGivesTheSameFile) {
    const auto make = [] {
        return between("  h = torch.cat([h[:, :3], torch.tanh(h[:, 3:])], 1).view(-1, 8)\n");
    };
    const auto first = prune_half(make), second = prune_half(make);
    EXPECT_EQ(first.plan, second.plan);
    EXPECT_EQ(bytes(first.module), bytes(second.module));
}

TEST(ScriptNetwork, SavedAndLoadedItComputesTheSame) {
    auto [module, plan] = prune_half([] { return between("  h = h.view(-1, 2, 4).flatten(1)\n"); });
    std::stringstream stream(bytes(module));
    auto loaded = torch::jit::load(stream);
    EXPECT_TRUE(torch::equal(loaded.forward({rows(4)}).toTensor(), module.forward({rows(4)}).toTensor()));
}

TEST(ScriptNetwork, AModuleThatRanBeforeRunsTheNewCode) {
    auto original = between(""), module = between("");
    module.forward({rows(2)});
    module.forward({rows(2)});
    const auto coupling = couple(module, {rows(2)});
    const auto plan = make_plan(coupling.groups, first_half(coupling.groups));
    apply_plan(module, coupling, plan);
    EXPECT_TRUE(verify(original, module, plan, {rows(2)}).passed());
}

TEST(ScriptNetwork, CopiesKeepTheirCode) {
    auto module = between("  h = h.view(-1, 2, 4).flatten(1)\n");
    auto copy = module.deepcopy();
    const auto before = copy.forward({rows(2)}).toTensor();
    for (int step = 0; step < 2; ++step) {
        const auto coupling = couple(module, {rows(2)});
        apply_plan(module, coupling, make_plan(coupling.groups, first_half(coupling.groups)));
    }
    EXPECT_LT(module.attr("w1").toTensor().size(0), 8);
    EXPECT_TRUE(torch::equal(copy.forward({rows(2)}).toTensor(), before));
}

TEST(ScriptNetwork, OtherMethodsStay) {
    auto module = between("");
    module.define("def doubled(self, x):\n  return 2 * self.forward(x)\n");
    const auto coupling = couple(module, {rows(2)});
    apply_plan(module, coupling, make_plan(coupling.groups, first_half(coupling.groups)));
    const auto expected = 2 * module.forward({rows(2)}).toTensor();
    EXPECT_TRUE(torch::equal(module.get_method("doubled")({rows(2)}).toTensor(), expected));
}

TEST(ScriptNetwork, TracesOnShapesAlone) {
    const auto traced = trace(between("  h = torch.softmax(h, 1)\n"), {rows(2)});
    EXPECT_TRUE(traced.computed_for_real.empty());
    EXPECT_EQ(traced.graph.outputs.size(), 1u);
    EXPECT_EQ(traced.graph.values[traced.graph.outputs[0]].shape, (std::vector<int64_t>{2, 3}));
}

TEST(ScriptNetwork, AWrongPlanChangesNothing) {
    auto module = between("");
    const auto coupling = couple(module, {rows(2)});
    Plan plan;
    plan.slices = {{"w1", 0, {0, 17}}};
    const auto before = bytes(module);
    EXPECT_THROW(apply_plan(module, coupling, plan), Error);
    plan.slices = {{"nobody", 0, {0}}};
    EXPECT_THROW(apply_plan(module, coupling, plan), Error);
    EXPECT_EQ(bytes(module), before);
}

TEST(ScriptNetwork, InputsThatDoNotFitAreAnError) {
    EXPECT_THROW(couple(between(""), {}), Error);
    try {
        couple(between(""), {toy::uniform({2, 4}, 1)});
        FAIL() << "no error";
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("aten::linear"));
    }
}

TEST(Verification, FindsTheOperatorThatDiffersFirst) {
    const auto make = [] { return between("  h = torch.tanh(h)\n"); };
    auto original = make();
    auto [module, plan] = prune_half(make);
    {
        const torch::NoGradGuard no_grad;
        module.attr("b1").toTensor().add_(1);
    }
    const auto check = verify(original, module, plan, {rows(2)});
    EXPECT_FALSE(check.passed());
    EXPECT_GT(check.error, 1e-3);
    EXPECT_THAT(check.first_difference, HasSubstr("aten::linear"));
    EXPECT_THAT(check.found(), HasSubstr("a relative difference of "));
}

TEST(Verification, ANetworkThatDoesNotRunSaysWhy) {
    const auto make = [] { return between("  h = torch.tanh(h)\n"); };
    auto original = make();
    auto [module, plan] = prune_half(make);
    module.setattr("b1", torch::zeros({77}, torch::kFloat64));
    const auto check = verify(original, module, plan, {rows(2)});
    EXPECT_FALSE(check.passed());
    EXPECT_EQ(check.first_difference, "forward");
    EXPECT_THAT(check.found(), HasSubstr("77"));
}

/// The map y -> 3.9 y (1 - y) doubles what two networks differ by every time.
TEST(Verification, RoundingThatANetworkAmplifiesIsNoDifference) {
    const auto make = [] {
        auto module = script({{"w", {256, 5}}},
                             "def forward(self, x):\n"
                             "  y = torch.sigmoid(0.01 * torch.relu(torch.linear(x, self.w)).sum([1]))\n"
                             "  for i in range(17):\n"
                             "    y = 3.9 * y * (1.0 - y)\n"
                             "  return y\n");
        module.to(torch::kFloat32);
        return module;
    };
    const auto input = rows(16).to(torch::kFloat32);
    auto original = make(), zeroed = make(), module = make();
    const auto coupling = couple(module, {input});
    std::vector<int64_t> removed;  // scattered, so that sums are taken in another order
    for (int64_t c = 0; c < 256; c += 3) removed.push_back(c);
    const auto plan = make_plan(coupling.groups, {removed});
    apply_plan(module, coupling, plan);
    zero_removed(zeroed, plan);
    EXPECT_GT(relative_error(module.forward({input}).toTensor(), zeroed.forward({input}).toTensor()), 1e-4);
    const auto check = verify(original, module, plan, {input});
    EXPECT_TRUE(check.passed()) << check.first_difference;
    EXPECT_LT(check.error, 1e-9);
}

TEST(Verification, OtherShapesAndNumbersThatAreNoneDiffer) {
    EXPECT_GT(relative_error(torch::ones({2}), torch::ones({3})), 1e9);
    EXPECT_GT(relative_error(torch::full({2}, NAN), torch::ones({2})), 1e9);
    EXPECT_DOUBLE_EQ(relative_error(torch::full({2}, 3.0), torch::full({2}, 4.0)), 0.25);
    EXPECT_DOUBLE_EQ(relative_error(torch::zeros({2}), torch::zeros({2})), 0.0);
}

}  // namespace
}  // namespace mtlprune::script_network_test
