// Properties that every registered regulariser must have.
#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "pruning/surgery/surgery.h"
#include "tests/pruning/regularized_run.h"
#include "training/checkpoint.h"

namespace mtlprune::regularizers_test {
namespace {

/// The entry so strong and quick that a few iterations show what it does.
std::string quick(const std::string& key) {
    Choice choice{key};
    const std::map<std::string, nlohmann::json> values = {
        {"s", 0.05},          {"reg", 0.05},           {"delta", 0.05},  {"every", 2},
        {"pick_delta", 0.01}, {"step", 0.1},           {"target", 0.15}, {"lambda", 0.02},
        {"start", -1.0},      {"meta_gradient", false}};  // with it nothing is left alone
    for (const auto& option : regularizers().at(key).options)
        if (const auto found = values.find(option.name); found != values.end())
            choice.options[option.name] = found->second;
    return choice_text(choice);
}

/// Learning rate large enough for proximal steps to matter.
OptimizerConfig brisk() {
    auto config = default_optimizer(OptimizerKind::adamw);
    config.lr = 0.01;
    return config;
}

class EveryRegularizer : public testing::TestWithParam<std::string> {
  protected:
    const std::string text = quick(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Registered, EveryRegularizer, testing::ValuesIn(regularizers().keys()),
                         [](const auto& info) { return info.param; });

/// Five iterations with an event among them, a checkpoint, five more with another.
TEST_P(EveryRegularizer, ResumesExactly) {
    for (const auto edit : {EditKind::remove, EditKind::mask}) {
        const auto options = five_of_shared(4, 3, edit);
        RegularizedRun whole(drawn_model(), text, options, brisk());
        whole.step(5);
        ASSERT_EQ(whole.pruner->events().size(), 1U);
        const auto model = drawn_model();
        if (edit == EditKind::remove) replay(*model, {whole.pruner->events()[0].plan});
        RegularizedRun resumed(model, text, options, brisk());
        resumed.trainer.load_state(whole.trainer.state());
        whole.step(5);
        resumed.step(5);
        ASSERT_EQ(whole.pruner->events().size(), 2U);
        EXPECT_EQ(resumed.pruner->events().back().removed, whole.pruner->events().back().removed);
        const auto expected = whole.trainer.state(), found = resumed.trainer.state();
        ASSERT_EQ(found.size(), expected.size());
        for (const auto& [name, tensor] : expected)
            EXPECT_TRUE(torch::equal(found.at(name).nan_to_num(), tensor.nan_to_num())) << name;
    }
}

TEST_P(EveryRegularizer, MasksAndRemovalAgreeWhileTraining) {
    RegularizedRun removed(drawn_model(), text, five_of_shared(3, 3), brisk());
    RegularizedRun masked(drawn_model(), text, five_of_shared(3, 3, EditKind::mask), brisk());
    removed.step(8);
    masked.step(8);
    ASSERT_EQ(removed.pruner->events().size(), 2U);
    for (size_t i = 0; i < 2; ++i)
        ASSERT_EQ(masked.pruner->events()[i].removed, removed.pruner->events()[i].removed) << i;
    const torch::NoGradGuard no_grad;
    const auto image = removed.batch().image;
    const auto a = removed.model->forward(image), b = masked.model->forward(image);
    for (size_t t = 0; t < a.size(); ++t)
        EXPECT_LT(((a[t] - b[t]).abs().max() / a[t].abs().max()).item<double>(), 1e-10) << t;
}

TEST_P(EveryRegularizer, ChangesTheNetworkUntilTheLastEventAlone) {
    RegularizedRun with(drawn_model(), text, five_of_shared(4, 1), brisk());
    RegularizedRun without(drawn_model(), "", five_of_shared(4, 1), brisk());
    with.step(3);
    without.step(3);
    const auto weight = [](const RegularizedRun& run) {
        return parameters_by_name(*run.model).at("backbone.norm.weight").detach().sum() +
               parameters_by_name(*run.model).at("backbone.first.weight").detach().sum() +
               parameters_by_name(*run.model).at("backbone.last.weight").detach().sum();
    };
    EXPECT_NE(weight(with).item<double>(), weight(without).item<double>());
    with.step(1);
    ASSERT_TRUE(with.pruner->finished());
    const auto state = with.trainer.state();
    RegularizedRun plain(drawn_model(), "", five_of_shared(4, 1), brisk());
    replay(*plain.model, {with.pruner->events()[0].plan});
    RegularizedRun after(plain.model, "", five_of_shared(4, 1), brisk());
    after.trainer.load_state(state);
    with.step(2);
    after.step(2);
    for (const auto& [name, parameter] : parameters_by_name(*with.model))
        EXPECT_TRUE(torch::equal(parameter, parameters_by_name(*after.model).at(name))) << name;
}

TEST_P(EveryRegularizer, LeavesParametersOutsideOfTheAskedGroupsAlone) {
    auto options = five_of_shared(20, 1);
    options.allocation.only = {"backbone\\.last"};
    RegularizedRun with(drawn_model(), text, options), without(drawn_model(), "", options);
    ASSERT_EQ(with.pruner->pruner().asked().size(), 1U);
    std::set<std::string> of_group;
    for (const auto& member : with.groups()[with.pruner->pruner().asked()[0]].members)
        of_group.insert(member.tensor);
    ASSERT_TRUE(of_group.contains("backbone.last.weight"));
    with.trainer.take_gradients(with.batch());
    without.trainer.take_gradients(without.batch());
    const auto plain = parameters_by_name(*without.model);
    int untouched = 0;
    for (const auto& [name, parameter] : parameters_by_name(*with.model)) {
        if (of_group.contains(name)) continue;
        EXPECT_TRUE(torch::equal(parameter.grad(), plain.at(name).grad())) << name;
        ++untouched;
    }
    EXPECT_GT(untouched, 5);
    with.trainer.step(with.batch());
    without.trainer.step(without.batch());
    EXPECT_TRUE(torch::equal(parameters_by_name(*with.model).at("backbone.first.weight"),
                             plain.at("backbone.first.weight")));
}

/// Without steps of the optimiser the weights are the same, and so must be what a criterion sees.
TEST_P(EveryRegularizer, IsNoPartOfTheEvidence) {
    if (GetParam() == "disparse_dynamic")
        GTEST_SKIP() << "channels that it closes are closed to criteria too";
    auto still = default_optimizer(OptimizerKind::sgd);
    still.lr = 0.0;
    // Nothing is pruned by the regulariser before the event.
    const auto slow = GetParam() == "increg"    ? "increg"
                      : GetParam() == "adapmtl" ? "adapmtl:start=-1000.0"
                                                : text;
    RegularizedRun with(drawn_model(), slow, five_of_shared(3, 1), still, "taylor");
    RegularizedRun without(drawn_model(), "", five_of_shared(3, 1), still, "taylor");
    with.step(3);
    without.step(3);
    for (size_t i = 0; i < with.pruner->last_scores().size(); ++i)
        EXPECT_TRUE(torch::equal(with.pruner->last_scores()[i], without.pruner->last_scores()[i])) << i;
}

TEST(Regularizers, FrozenParametersAreLeftOut) {
    RegularizedRun run(drawn_model(), "", five_of_shared(3, 1));
    auto weight = parameters_by_name(*run.model).at("backbone.middle.weight");
    StoredTensors tensors;
    for (const auto& [name, tensor] : module_state(*run.model)) tensors[name] = tensor;
    for (const auto& [name, tensor] : parameters_by_name(*run.model)) tensors[name] = tensor;
    const auto filters = [&] {
        size_t count = 0;
        for (const auto& group : regularized_groups(run.pruner->pruner().evidence(tensors)))
            for (const auto& slices : group.filters) count += slices.name == "backbone.middle.weight" ? 1 : 0;
        return count;
    };
    EXPECT_EQ(filters(), 1U);
    weight.set_requires_grad(false);
    EXPECT_EQ(filters(), 0U);
}

TEST(Regularizers, OptionsOutOfRangeAreErrors) {
    for (const std::string text :
         {"slimming:s=-1.0", "growing_reg:every=0", "greg1:every=0", "increg:scheme=3", "increg:u=1.5",
          "less_is_more:group=layer", "group_lasso:variant=norm", "group_nrm"})
        EXPECT_THROW(regularizers().make(text), Error) << text;
}

}  // namespace
}  // namespace mtlprune::regularizers_test
