#include "pruning/surgery/surgery.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <functional>
#include <sstream>

#include "base/error.h"
#include "tests/pruning/toy_networks.h"

namespace mtlprune::surgery_test {
namespace {

constexpr double kTolerance = 1e-10;

/// A network that can be built again, equal.
struct Subject {
    std::shared_ptr<torch::nn::Module> module;
    TracedFunction forward;
    torch::Tensor input;
};

Subject multi_task() {
    auto model = toy::multi_task_model();
    return {model, toy::forward_of(model), toy::image(2, 40)};
}

Subject subject(const toy::Network& network) {
    return {network.module, network.forward, toy::image()};
}

/// Prunes three times in a row; each time a twin pruned as far as before has the leaving slices zeroed
/// instead.
void expect_pruned_equals_zeroed(const std::function<Subject()>& build, uint64_t key) {
    const torch::NoGradGuard no_grad;
    const auto pruned = build();
    auto groups = couple(*pruned.module, pruned.forward, {pruned.input.slice(0, 0, 1)}).groups;
    std::vector<Plan> plans;
    bool changed = false;
    for (uint64_t round = 0; round < 3; ++round) {
        const auto before = pruned.forward({pruned.input});
        const auto plan = apply_plan(*pruned.module, groups, toy::random_removal(groups, key + round));
        if (plan.slices.empty()) continue;
        remove_channels(groups, plan);
        const auto twin = build();
        for (const auto& earlier : plans) apply_plan(*twin.module, earlier);
        zero_removed(*twin.module, plan);
        const auto expected = twin.forward({twin.input}), found = pruned.forward({pruned.input});
        ASSERT_EQ(expected.size(), found.size());
        for (size_t i = 0; i < found.size(); ++i) {
            EXPECT_LT(toy::relative_difference(found[i], expected[i]), kTolerance) << "round " << round;
            changed = changed || toy::relative_difference(found[i], before[i]) > 1e-3;
        }
        plans.push_back(plan);
    }
    EXPECT_FALSE(plans.empty());
    EXPECT_TRUE(changed) << "only dead channels were removed: the comparison shows nothing";
}

TEST(Surgery, MultiTaskModelEqualsItsZeroedTwin) {
    for (const uint64_t key : {1, 20, 300, 4000}) expect_pruned_equals_zeroed(multi_task, key);
}

TEST(Surgery, ToyNetworksEqualTheirZeroedTwins) {
    for (const uint64_t key : {1, 22, 301, 4002}) {
        SCOPED_TRACE(key);
        expect_pruned_equals_zeroed([] { return subject(toy::residual()); }, key);
        expect_pruned_equals_zeroed([] { return subject(toy::concatenation()); }, key);
        expect_pruned_equals_zeroed([] { return subject(toy::classifier()); }, key);
        expect_pruned_equals_zeroed([] { return subject(toy::assorted()); }, key);
    }
}

TEST(Surgery, UpdatedGroupsEqualThoseOfTheNewNetwork) {
    for (const auto& build : {toy::concatenation, toy::classifier, toy::assorted}) {
        const auto network = build();
        auto groups = toy::couple(network).groups;
        std::vector<std::vector<int64_t>> removed(groups.size());
        for (size_t g = 0; g < groups.size(); ++g)
            if (!groups[g].frozen) removed[g] = {1};
        remove_channels(groups, apply_plan(*network.module, groups, removed));
        const auto fresh = toy::couple(network).groups;
        ASSERT_EQ(groups.size(), fresh.size());
        for (size_t g = 0; g < groups.size(); ++g) {
            EXPECT_EQ(groups[g].channels, fresh[g].channels);
            ASSERT_EQ(groups[g].members.size(), fresh[g].members.size());
            for (size_t m = 0; m < groups[g].members.size(); ++m)
                EXPECT_EQ(groups[g].members[m].indices, fresh[g].members[m].indices)
                    << groups[g].members[m].tensor;
        }
    }
}

/// Removes channels {1, 3} of group 0 and channel 0 of group 1.
std::vector<std::vector<int64_t>> small_removal(const std::vector<Group>& groups) {
    std::vector<std::vector<int64_t>> removed(groups.size());
    removed[0] = {3, 1};
    removed[1] = {0};
    return removed;
}

TEST(Surgery, OptionsTellTheTruth) {
    const auto network = toy::classifier();
    const auto groups = toy::couple(network).groups;
    apply_plan(*network.module, groups, small_removal(groups));
    const auto children = network.module->named_children();
    const auto* depth = children["depth"]->as<torch::nn::Conv2d>();
    EXPECT_EQ(children["conv"]->as<torch::nn::Conv2d>()->options.out_channels(), 3);
    EXPECT_EQ(children["norm"]->as<torch::nn::BatchNorm2d>()->options.num_features(), 3);
    EXPECT_EQ(depth->options.in_channels(), 3);
    EXPECT_EQ(depth->options.out_channels(), 6);
    EXPECT_EQ(depth->options.groups(), 3);
    EXPECT_EQ(children["hidden"]->as<torch::nn::Linear>()->options.in_features(), 96);
    EXPECT_EQ(children["hidden"]->as<torch::nn::Linear>()->options.out_features(), 6);
    EXPECT_EQ(children["last"]->as<torch::nn::Linear>()->options.in_features(), 6);
    std::ostringstream printed;
    printed << *children["hidden"];
    EXPECT_NE(printed.str().find("in_features=96, out_features=6"), std::string::npos) << printed.str();
}

TEST(Surgery, OptionsOfGroupedAndTransposedConvolutionsFollow) {
    const auto network = toy::assorted();
    const auto groups = toy::couple(network).groups;
    apply_plan(*network.module, groups, {{0}, {2}, {1}, {}});
    const auto children = network.module->named_children();
    const auto& grouped = children["grouped"]->as<torch::nn::Conv2d>()->options;
    EXPECT_EQ(grouped.in_channels(), 6);
    EXPECT_EQ(grouped.out_channels(), 4);
    EXPECT_EQ(grouped.groups(), 2);
    const auto& up = children["up"]->as<torch::nn::ConvTranspose2d>()->options;
    EXPECT_EQ(up.in_channels(), 4);
    EXPECT_EQ(up.out_channels(), 3);
}

TEST(Surgery, OneInputPerGroupIsNotMistakenForDepthwise) {
    const auto network = toy::assorted();
    auto groups = toy::couple(network).groups;
    remove_channels(groups, apply_plan(*network.module, groups, {{1, 2, 3}, {}, {}, {}}));
    remove_channels(groups, apply_plan(*network.module, groups, {{}, {1}, {}, {}}));
    const auto& options = network.module->named_children()["grouped"]->as<torch::nn::Conv2d>()->options;
    EXPECT_EQ(options.groups(), 2);
    EXPECT_EQ(options.in_channels(), 2);
    EXPECT_EQ(options.out_channels(), 4);
    EXPECT_EQ(network(toy::image()).size(1), 2);
}

TEST(Surgery, ParametersKeepTheirIdentityAndGradientsShrink) {
    const auto network = toy::residual();
    auto groups = toy::couple(network).groups;
    network(toy::image()).sum().backward();
    auto parameters = network.module->named_parameters();
    auto weight = parameters["second.weight"];
    const auto* identity = weight.unsafeGetTensorImpl();
    const auto kept = torch::tensor({0, 2, 4, 5});
    const auto value = weight.detach().index_select(0, kept).index_select(1, kept);
    const auto gradient = weight.grad().index_select(0, kept).index_select(1, kept);
    std::vector<std::pair<const void*, int64_t>> calls;
    auto removed = std::vector<std::vector<int64_t>>{{1, 3}, {}};
    apply_plan(*network.module, groups, removed,
               [&](const torch::Tensor& p, int64_t dim, const torch::Tensor& k) {
                   calls.emplace_back(p.unsafeGetTensorImpl(), dim);
                   EXPECT_TRUE(k.equal(kept));
                   EXPECT_EQ(p.size(dim), 4);
               });
    weight = network.module->named_parameters()["second.weight"];
    EXPECT_EQ(weight.unsafeGetTensorImpl(), identity);
    EXPECT_TRUE(weight.is_leaf() && weight.requires_grad());
    EXPECT_TRUE(weight.equal(value));
    EXPECT_TRUE(weight.grad().equal(gradient));
    EXPECT_EQ(calls.size(), 6u);  // first and second: weight and bias; input side of second and last
    EXPECT_EQ(std::count(calls.begin(), calls.end(), std::pair<const void*, int64_t>(identity, 1)), 1);
    network.module->zero_grad();
    network(toy::image()).sum().backward();
    EXPECT_EQ(weight.grad().sizes(), weight.sizes());
}

TEST(Surgery, BackwardWorksWhileAnOlderGraphLives) {
    const auto network = toy::residual();
    const auto groups = toy::couple(network).groups;
    const auto older = network(toy::image());
    apply_plan(*network.module, groups, {{0}, {}});
    network(toy::image()).sum().backward();
    const auto weight = network.module->named_parameters()["first.weight"];
    EXPECT_EQ(weight.grad().sizes(), weight.sizes());
}

TEST(Surgery, TiedParameterIsSlicedOnce) {
    auto network = toy::residual();
    auto weight = network.module->named_parameters()["second.weight"];
    network.module->register_parameter("tied", weight);
    const auto groups = toy::couple(network).groups;
    apply_plan(*network.module, groups, {{5}, {}});
    EXPECT_EQ(network.module->named_parameters()["tied"].size(0), 5);
    EXPECT_EQ(network(toy::image()).size(1), 2);
}

TEST(Plan, RefusesWhatWouldBreakTheNetwork) {
    const auto network = toy::residual();
    const auto groups = toy::couple(network).groups;
    EXPECT_THROW(make_plan(groups, {{0, 1, 2, 3, 4, 5}, {}}), Error);
    EXPECT_THROW(make_plan(groups, {{6}, {}}), Error);
    EXPECT_THROW(make_plan(groups, {{-1}, {}}), Error);
    EXPECT_THROW(make_plan(groups, {{2, 2}, {}}), Error);
    EXPECT_THROW(make_plan(groups, {{}, {0}}), Error);
    EXPECT_THROW(make_plan(groups, {{0}}), Error);
    EXPECT_TRUE(make_plan(groups, {{}, {}}).slices.empty());
}

TEST(Surgery, AWrongPlanChangesNothing) {
    const auto network = toy::residual();
    const auto size = network.module->parameters().front().sizes().vec();
    const Slices good{"first.weight", 0, {0}};
    for (const Slices& bad : {Slices{"none.weight", 0, {0}}, Slices{"first.weight", 4, {0}},
                              Slices{"first.weight", 1, {3}}, Slices{"first.bias", 0, {1, 0}},
                              Slices{"first.bias", 0, {0, 1, 2, 3, 4, 5}}, Slices{"first.weight", 0, {1}}})
        EXPECT_THROW(apply_plan(*network.module, Plan{EditKind::remove, {good, bad}, {}}), Error)
            << bad.tensor << bad.dim;
    EXPECT_EQ(network.module->parameters().front().sizes().vec(), size);
}

TEST(Plan, SurvivesJson) {
    const auto groups = toy::couple(toy::classifier()).groups;
    const auto plan = make_plan(groups, small_removal(groups));
    EXPECT_EQ(plan.groups[0].channels, (std::vector<int64_t>{1, 3}));
    const auto json = plan_to_json(plan);
    EXPECT_EQ(json["slices"][0]["tensor"], "conv.weight");
    EXPECT_EQ(json["slices"][0]["indices"], (std::vector<int64_t>{1, 3}));
    EXPECT_EQ(plan_from_json(nlohmann::json::parse(json.dump()), "plan.json"), plan);
    for (const auto* bad :
         {R"({"edit": "remove", "slices": []})",
          R"({"edit": "remove", "slices": [{"tensor": "a", "dim": 0}], "groups": []})",
          R"({"edit": "remove", "slices": [{"tensor": "a", "dim": 0, "indices": [2, 1]}], "groups": []})",
          R"({"edit": "remove", "slices": [], "groups": [], "more": 1})",
          R"({"edit": "cut", "slices": [], "groups": []})", R"({"slices": [], "groups": []})", "[]"})
        EXPECT_THROW(plan_from_json(nlohmann::json::parse(bad), "plan.json"), Error) << bad;
}

TEST(Plan, SlicesOfAllStepsAreNumberedAsBeforeTheFirst) {
    const std::vector<Plan> steps = {{EditKind::remove, {{"a", 0, {1, 3}}, {"b", 1, {0}}}, {}},
                                     {EditKind::remove, {{"a", 0, {0, 1, 4}}}, {}}};
    // Of 0..7 the first step leaves 0 2 4 5 6 7, of which the second removes 0, 2 and 6.
    const std::vector<Slices> expected = {{"a", 0, {0, 1, 2, 3, 6}}, {"b", 1, {0}}};
    EXPECT_EQ(slices_of_original(steps), expected);
    auto masks = steps;
    for (auto& step : masks) step.edit = EditKind::mask;
    masks[1].slices[0].indices = {0, 2, 6};
    EXPECT_EQ(slices_of_original(masks), expected);
}

TEST(Plan, ReplaysToTheSameShapesWhetherItRemovedOrMasked) {
    for (const auto edit : {EditKind::remove, EditKind::mask}) {
        auto pruned = toy::classifier();
        auto groups = toy::couple(pruned).groups;
        std::vector<Plan> steps;
        for (int step = 0; step < 2; ++step) {
            std::vector<std::vector<int64_t>> leaving(groups.size());
            for (size_t g = 0; g < groups.size(); ++g)
                if (!groups[g].frozen) leaving[g] = {0, 2};
            steps.push_back(make_plan(groups, leaving, edit));
            remove_channels(groups, steps.back());
            if (edit == EditKind::remove) apply_plan(*pruned.module, steps.back());
        }
        const auto fresh = toy::classifier();
        replay(*fresh.module, steps_from_json(steps_to_json(steps), "plan.json"));
        const auto parameters = fresh.module->named_parameters();
        EXPECT_EQ(parameters["conv.weight"].size(0), 1);    // of 5
        EXPECT_EQ(parameters["hidden.weight"].size(0), 3);  // of 7
        EXPECT_EQ(fresh(toy::image()).size(1), toy::classifier()(toy::image()).size(1));
        if (edit != EditKind::remove) continue;
        for (const auto& item : pruned.module->named_parameters())
            EXPECT_TRUE(torch::equal(parameters[item.key()], item.value())) << item.key();
    }
}

}  // namespace
}  // namespace mtlprune::surgery_test
