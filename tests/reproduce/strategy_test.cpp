// Ways of pruning as data.
#include "reproduce/strategies/strategy.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include "base/error.h"
#include "models/model_spec.h"
#include "pruning/masks/weight_mask_training.h"
#include "pruning/schedules/iterative_pruner.h"
#include "tests/random_batch.h"

namespace mtlprune::strategy_test {
namespace {

std::string message(const std::string& name, const nlohmann::json& changes = nlohmann::json::object()) {
    try {
        named_strategy(name, changes, "here");
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

ModelPtr tiny_network() {
    ModelPtr model = make_model("vgg16:width=0.125,pools=2/smallaspp:hidden=4,dropout=0", nyuv2_tasks(5));
    model->initialise(1);
    return model;
}

/// In a few iterations.
void expect_that_it_masks(const Strategy& strategy) {
    auto choice = parse_choice("weight masking", strategy.weight_masking);
    for (const auto& option : weight_maskings().at(choice.key).options) {
        const bool dynamic = choice.options.value("mode", "") == "dynamic";
        if (option.name == (dynamic ? "interval" : "batches")) choice.options[option.name] = 2;
        if (option.name == "start") choice.options["start"] = -1.0;
    }
    const auto model = tiny_network();
    const auto masks =
        std::make_shared<WeightMaskTraining>(model, weight_maskings().make(choice), /*iterations=*/6, 1);
    Trainer trainer(model, {.iterations = 6}, {masks});
    trainer.run([next = uint64_t{0}]() mutable { return random_batch(next++); });
    EXPECT_LT(masks->masks().count().density(), 0.5);
    EXPECT_TRUE(masks->masking().settled(6));
    EXPECT_EQ(model->forward(random_batch(9).image).size(), 3U);
}

class EveryStrategy : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Files, EveryStrategy, testing::ValuesIn(strategy_names()),
                         [](const auto& info) { return info.param; });

/// At a small network's pace: every second mini-batch, a tenth of the channels where it says how many.
TEST_P(EveryStrategy, PrunesATinyNetwork) {
    auto strategy = named_strategy(GetParam(), nlohmann::json::object(), "here");
    EXPECT_FALSE(strategy.summary.empty());
    if (!strategy.weight_masking.empty()) return expect_that_it_masks(strategy);
    strategy.schedule.frequency = 2;
    if (strategy.allocation.budget.unit == BudgetUnit::count) strategy.allocation.budget.value = 20;
    const auto model = tiny_network();
    const auto pruner = std::make_shared<IterativePruner>(
        model, torch::zeros({1, 3, 16, 16}), criteria().make(strategy.criterion),
        IterativePrunerOptions{.frequency = strategy.schedule.frequency,
                               .allocation = strategy.allocation,
                               .iterations = 5,
                               .events = strategy.schedule.events,
                               .pace = strategy.schedule.pace,
                               .observed = strategy.schedule.observed,
                               .edit = strategy.edit},
        strategy.regularizer.empty() ? nullptr : regularizers().make(strategy.regularizer));
    const auto whole = pruner->pruner().cost();
    Trainer trainer(model, {}, {pruner});
    trainer.run([next = uint64_t{0}]() mutable { return random_batch(next++); });
    EXPECT_EQ(pruner->events().size(), strategy.schedule.events == 1 ? 1U : 2U);
    EXPECT_LT(pruner->pruner().cost().macs, whole.macs);
    EXPECT_EQ(model->forward(random_batch(9).image).size(), 3U);
}

TEST(Strategy, ANameOfACriterionIsThatCriterionInThePapersWay) {
    const auto bare = named_strategy("taylor:window=false", {}, "here");
    const auto file = named_strategy("taylor", nlohmann::json::object(), "here");
    EXPECT_EQ(bare.criterion, "taylor:window=false");
    EXPECT_EQ(bare.schedule.frequency, file.schedule.frequency);
    EXPECT_EQ(bare.json.at("allocation"), file.json.at("allocation"));
    EXPECT_EQ(file.allocation.min_channels, 5);
    EXPECT_EQ(file.allocation.only, std::vector<std::string>{kSharedGroups});
}

TEST(Strategy, ChangesReplaceSingleKeysAndWholeBudgets) {
    const nlohmann::json changes = {{"allocation", {{"budget", {{"macs", 0.5}}}}}, {"edit", "mask"}};
    const auto strategy = named_strategy("filter_norm", changes, "here");
    EXPECT_EQ(strategy.allocation.budget.unit, BudgetUnit::macs);
    EXPECT_EQ(strategy.allocation.budget.value, 0.5);
    EXPECT_EQ(strategy.allocation.scope, RankingScope::local);
    EXPECT_EQ(strategy.schedule.events, 1);
    EXPECT_EQ(strategy.edit, EditKind::mask);
    const auto all = named_strategy("l1", {{"allocation", {{"part", "all"}}}}, "here");
    EXPECT_TRUE(all.allocation.only.empty());
}

TEST(Strategy, ARegularizerIsPartOfItsIdentityWhereThereIsOne) {
    const auto without = named_strategy("l2", nlohmann::json::object(), "here");
    EXPECT_TRUE(without.regularizer.empty());
    EXPECT_FALSE(without.json.contains("regularizer"));
    const auto with = named_strategy("l2", {{"regularizer", "group_lasso:reg=0.5"}}, "here");
    EXPECT_EQ(with.regularizer, "group_lasso:reg=0.5");
    EXPECT_EQ(with.json.at("regularizer"), "group_lasso:reg=0.5");
    EXPECT_EQ(named_strategy("slimming", {{"regularizer", ""}}, "here").json.contains("regularizer"), false);
    const auto& keys = strategy_keys();
    EXPECT_NE(std::find(keys.begin(), keys.end(), "regularizer"), keys.end());
}

TEST(Strategy, AWeightMaskingStandsAlone) {
    const auto strategy =
        named_strategy("weight_magnitude", {{"weight_masking", "magnitude:density=0.2"}}, "here");
    EXPECT_EQ(strategy.weight_masking, "magnitude:density=0.2");
    EXPECT_EQ(strategy.json, nlohmann::json({{"weight_masking", "magnitude:density=0.2"}}));
    EXPECT_FALSE(named_strategy("taylor", {}, "here").json.contains("weight_masking"));
    const nlohmann::json others = {{"criterion", "l1"},
                                   {"regularizer", "greg1"},
                                   {"schedule", {{"frequency", 3}}},
                                   {"allocation", {{"scope", "local"}}},
                                   {"edit", "mask"},
                                   {"reset_optimizer", true}};
    for (const auto& [key, value] : others.items())
        EXPECT_EQ(
            message("disparse_static", {{key, value}}),
            "configuration: here: " + key +
                ": expected nothing beside weight_masking, which masks weights and removes no channels, "
                "found the key");
    EXPECT_TRUE(contains(message("weight_magnitude", {{"weight_masking", "magnitud"}}), "'magnitude'"));
    EXPECT_TRUE(
        contains(message("weight_magnitude", {{"weight_masking", "magnitude:densty=1"}}), "'density'"));
}

TEST(Strategy, NamesWhatIsWrong) {
    EXPECT_TRUE(contains(message("taylor", {{"regularizer", "group_nrm"}}), "here: regularizer"));
    EXPECT_TRUE(contains(message("taylor", {{"regularizer", "group_nrm"}}), "'group_norm'"));
    EXPECT_TRUE(contains(message("tailor"), "here: strategy")) << message("tailor");
    EXPECT_TRUE(contains(message("tailor"), "'taylor'"));
    EXPECT_TRUE(contains(message("slimmin"), "'slimming'"));
    EXPECT_TRUE(contains(message("taylor:windw=false"), "'window'")) << message("taylor:windw=false");
    EXPECT_TRUE(contains(message("taylor", {{"schedule", {{"frequncy", 3}}}}), "'frequency'"));
    EXPECT_TRUE(contains(message("taylor", {{"allocation", {{"scope", "globl"}}}}), "'global'"));
    EXPECT_TRUE(contains(message("taylor", {{"allocation", {{"budget", {{"chanels", 3}}}}}}), "channels"));
    EXPECT_TRUE(contains(message("taylor", {{"allocation", {{"budget", 3}}}}), "an object"));
    EXPECT_TRUE(contains(message("taylor", {{"allocation", {{"min_channels", 0}}}}), "cannot be removed"));
    EXPECT_TRUE(contains(message("taylor", {{"edit", "prune"}}), "'prune'"));
}

}  // namespace
}  // namespace mtlprune::strategy_test
