// Floors, maximum ratios, ratios of single groups, ignored groups, rounding.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/error.h"
#include "pruning/surgery/plan.h"
#include "tests/pruning/toy_networks.h"
#include "tests/pruning/toy_scores.h"

namespace mtlprune::allocation_limits_test {
namespace {

using toy::Removed;

AllocationOptions ratio(double value) {
    AllocationOptions options;
    options.budget.value = value;
    return options;
}

/// Free groups conv (5 channels: conv, norm, depth) and hidden (7), frozen last (3).
struct Classifier {
    Coupling coupling = toy::couple(toy::classifier());
    toy::Scores scores = toy::random_scores(coupling.groups, 12);
    Allocation allocate(const AllocationOptions& options) const {
        return mtlprune::allocate(coupling, coupling.groups, scores, options);
    }
    std::vector<int64_t> kept(const AllocationOptions& options) const {
        return toy::kept(coupling.groups, allocate(options).removed);
    }
    std::string error(const AllocationOptions& options) const {
        try {
            allocate(options);
        } catch (const Error& error) {
            return error.what();
        }
        return "";
    }
};

TEST(AllocationLimits, EveryGroupKeepsItsFloor) {
    const Classifier toy;
    ASSERT_EQ(channel_counts(toy.coupling.groups), (std::vector<int64_t>{5, 7, 3}));
    auto options = ratio(0.9);
    EXPECT_EQ(toy.kept(options), (std::vector<int64_t>{1, 1, 3}));
    options.min_channels = 4;
    const auto allocation = toy.allocate(options);
    EXPECT_EQ(toy::kept(toy.coupling.groups, allocation.removed), (std::vector<int64_t>{4, 4, 3}));
    ASSERT_EQ(allocation.notes.size(), 2U);
    EXPECT_NE(allocation.notes[0].find("group conv: a ratio of 0.9 asks for 5 of 5"), std::string::npos)
        << allocation.notes[0];
    options.min_channels = 6;  // more than conv has
    EXPECT_EQ(toy.kept(options), (std::vector<int64_t>{5, 6, 3}));
}

TEST(AllocationLimits, NoGroupLosesMoreThanTheMaximumRatio) {
    const Classifier toy;
    auto options = ratio(0.9);
    options.max_ratio = 0.4;  // 2 of 5, 2.8 of 7
    EXPECT_EQ(toy.kept(options), (std::vector<int64_t>{3, 5, 3}));
    options.max_ratio = 0.0;
    EXPECT_EQ(toy.kept(options), (std::vector<int64_t>{5, 7, 3}));
}

TEST(AllocationLimits, MaximumRatioRefersToTheNetworkAsCoupled) {
    const Classifier toy;
    auto options = ratio(0.8);
    options.max_ratio = 0.6;
    auto groups = toy.coupling.groups;
    remove_channels(groups, make_plan(groups, {{0, 1}, {3, 4, 5}, {}}));
    const auto allocation = allocate(toy.coupling, groups, toy::random_scores(groups, 1), options);
    EXPECT_EQ(toy::kept(groups, allocation.removed), (std::vector<int64_t>{2, 3, 3}));
}

TEST(AllocationLimits, IgnoredByGroupTensorOrModule) {
    const Classifier toy;
    for (const char* pattern : {"conv", "norm\\.weight", "norm", "depth\\.bias", "c.*", "depth|nothing"}) {
        auto options = ratio(0.5);
        options.ignore = {pattern};
        EXPECT_EQ(toy.kept(options), (std::vector<int64_t>{5, 3, 3})) << pattern;
    }
}

TEST(AllocationLimits, IgnoringALayerDoesNotProtectWhatItReads) {
    const Classifier toy;
    auto options = ratio(0.5);
    options.ignore = {"last", "hidden\\.weight"};
    EXPECT_EQ(toy.kept(options), (std::vector<int64_t>{2, 7, 3}));
}

TEST(AllocationLimits, SingleGroupsMayHaveTheirOwnRatio) {
    const Classifier toy;
    auto options = ratio(0.0);
    options.ratios = {{"hidden", 0.3}};  // 7 - int(4.9)
    EXPECT_EQ(toy.kept(options), (std::vector<int64_t>{5, 4, 3}));
    options.ratios = {{"hidden", 0.3}, {".*", 0.8}};
    EXPECT_EQ(toy.kept(options), (std::vector<int64_t>{1, 4, 3}));
    // The rest meets the budget without them.
    options.ratios = {{"hidden", 0.0}};
    options.budget = {BudgetUnit::parameters, 0.5};
    options.scope = RankingScope::global;
    const auto kept = toy.kept(options);
    EXPECT_EQ(kept[1], 7);
    EXPECT_LT(kept[0], 5);
}

TEST(AllocationLimits, PatternsThatMatchNothingNameTheNearestGroup) {
    const Classifier toy;
    auto options = ratio(0.5);
    options.ignore = {"hiden"};
    EXPECT_NE(toy.error(options).find("did you mean 'hidden'"), std::string::npos) << toy.error(options);
    options.ignore.clear();
    options.ratios = {{"con", 0.5}};
    EXPECT_NE(toy.error(options).find("did you mean 'conv'"), std::string::npos) << toy.error(options);
    options.ratios = {{"(", 0.5}};
    EXPECT_NE(toy.error(options).find("regular expression"), std::string::npos);
}

TEST(AllocationLimits, RoundKeptCountsToMultiples) {
    const Classifier toy;
    auto options = ratio(0.5);  // keeps 2 of 5 and 3 of 7
    options.round_to = 4;
    EXPECT_EQ(toy.kept(options), (std::vector<int64_t>{4, 4, 3}));
    options.rounding = Rounding::nearest;
    EXPECT_EQ(toy.kept(options), (std::vector<int64_t>{4, 4, 3}));
    options.round_to = 5;
    EXPECT_EQ(toy.kept(options), (std::vector<int64_t>{5, 5, 3}));  // 2 would be 0, under the floor
    options.rounding = Rounding::down;
    options.round_to = 2;
    EXPECT_EQ(toy.kept(options), (std::vector<int64_t>{2, 2, 3}));
    options.min_channels = 3;
    EXPECT_EQ(toy.kept(options), (std::vector<int64_t>{4, 4, 3}));
    options.round_to = 16;  // more than any group has
    EXPECT_EQ(toy.kept(options), (std::vector<int64_t>{5, 7, 3}));
}

TEST(AllocationLimits, GroupsThatLoseNothingNeedNotBeMultiples) {
    const Classifier toy;
    auto options = ratio(0.0);
    options.round_to = 4;
    options.rounding = Rounding::down;
    EXPECT_EQ(toy.kept(options), (std::vector<int64_t>{5, 7, 3}));
}

TEST(AllocationLimits, HoldForRandomOptions) {
    const auto coupling = toy::couple(toy::multi_task_model());
    for (uint64_t key = 0; key < 60; ++key) {
        Random random(key);
        AllocationOptions options;
        options.scope = static_cast<RankingScope>(random.below(4));
        options.min_channels = 1 + static_cast<int64_t>(random.below(4));
        options.max_ratio = random.uniform(0.2, 1.0);
        options.round_to = 1 + static_cast<int64_t>(random.below(3));
        options.rounding = static_cast<Rounding>(random.below(3));
        options.budget.value = random.uniform(0.0, 0.95);
        const auto removed =
            allocate(coupling, coupling.groups, toy::random_scores(coupling.groups, key), options).removed;
        make_plan(coupling.groups, removed);  // throws on what cannot leave
        for (size_t g = 0; g < removed.size(); ++g) {
            const int64_t channels = coupling.groups[g].channels,
                          gone = static_cast<int64_t>(removed[g].size());
            if (gone == 0) continue;
            EXPECT_GE(channels - gone, options.min_channels);
            EXPECT_LE(static_cast<double>(gone), options.max_ratio * static_cast<double>(channels) + 1e-6);
            EXPECT_EQ((channels - gone) % options.round_to, 0);
        }
    }
}

TEST(AllocationLimits, OptionsOutOfRangeAreErrors) {
    const Classifier toy;
    const auto expect_error = [&](const std::function<void(AllocationOptions&)>& change, const char* part) {
        auto options = ratio(0.5);
        change(options);
        EXPECT_NE(toy.error(options).find(part), std::string::npos) << toy.error(options);
    };
    expect_error([](auto& o) { o.budget.value = 1.0; }, "ratio");
    expect_error([](auto& o) { o.budget.value = -0.1; }, "ratio");
    expect_error([](auto& o) { o.budget.value = std::nan(""); }, "ratio");
    expect_error([](auto& o) { o.budget = {BudgetUnit::macs, 0.0}; }, "budget");
    expect_error([](auto& o) { o.min_channels = 0; }, "minimum");
    expect_error([](auto& o) { o.max_ratio = 1.5; }, "maximum");
    expect_error([](auto& o) { o.round_to = 0; }, "multiple");
    expect_error([](auto& o) { o.ratios = {{"conv", 1.0}}; }, "ratio of 'conv'");
}

}  // namespace
}  // namespace mtlprune::allocation_limits_test
