// Budgets of parameters and MACs.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "pruning/surgery/surgery.h"
#include "tests/pruning/toy_networks.h"
#include "tests/pruning/toy_scores.h"

namespace mtlprune::allocation_budget_test {
namespace {

using toy::Removed;

AllocationOptions budget(BudgetUnit unit, double value, RankingScope scope = RankingScope::global) {
    AllocationOptions options;
    options.scope = scope;
    options.budget = {unit, value};
    return options;
}

int64_t amount_of(const Cost& cost, BudgetUnit unit) {
    return unit == BudgetUnit::macs ? cost.macs : cost.parameters;
}

constexpr std::array kUnits = {BudgetUnit::parameters, BudgetUnit::macs};
constexpr std::array kScopes = {RankingScope::local, RankingScope::isomorphic, RankingScope::owner,
                                RankingScope::global};

/// One channel after the other, always the lowest of all, until the budget is met.
Removed one_by_one(const Coupling& coupling, const toy::Scores& scores, BudgetUnit unit, double target) {
    const auto& groups = coupling.groups;
    Removed removed(groups.size());
    while (static_cast<double>(amount_of(cost_of(coupling, toy::kept(groups, removed)), unit)) > target) {
        double lowest = 1e9;
        size_t group = 0;
        int64_t channel = -1;
        for (size_t g = 0; g < groups.size(); ++g) {
            if (groups[g].frozen || toy::kept(groups, removed)[g] == 1) continue;
            for (int64_t c = 0; c < groups[g].channels; ++c) {
                const bool is_gone = std::count(removed[g].begin(), removed[g].end(), c) > 0;
                if (is_gone || scores[g][c].item<double>() >= lowest) continue;
                lowest = scores[g][c].item<double>();
                group = g;
                channel = c;
            }
        }
        removed[group].push_back(channel);
    }
    for (auto& channels : removed) std::sort(channels.begin(), channels.end());
    return removed;
}

TEST(AllocationBudget, GlobalStopsAtTheFirstChannelThatMeetsIt) {
    const auto coupling = toy::couple(toy::classifier());
    const auto scores = toy::random_scores(coupling.groups, 4);
    const auto before = cost_of(coupling.graph);
    for (const auto unit : kUnits)
        for (const double share : {0.9, 0.6, 0.3}) {
            const double target = share * static_cast<double>(amount_of(before, unit));
            EXPECT_EQ(allocate(coupling, coupling.groups, scores, budget(unit, share)).removed,
                      one_by_one(coupling, scores, unit, target));
            EXPECT_EQ(allocate(coupling, coupling.groups, scores, budget(unit, target)).removed,
                      one_by_one(coupling, scores, unit, target));
        }
}

TEST(AllocationBudget, IsMetExactlyAsSurgeryWouldMeetIt) {
    for (const auto unit : kUnits)
        for (const auto scope : kScopes) {
            auto model = toy::multi_task_model();
            const auto coupling = toy::couple(model);
            const auto allocation = allocate(
                coupling, coupling.groups, toy::random_scores(coupling.groups, 5), budget(unit, 0.4, scope));
            EXPECT_EQ(allocation.before, cost_of(coupling.graph));
            apply_plan(*model, coupling.groups, allocation.removed);
            EXPECT_EQ(allocation.after, cost_of(toy::couple(model).graph));
            EXPECT_LE(amount_of(allocation.after, unit), 0.4 * amount_of(allocation.before, unit));
        }
}

TEST(AllocationBudget, LocalGroupsShrinkAtTheSamePace) {
    const auto coupling = toy::couple(toy::multi_task_model());
    const auto allocation = allocate(coupling, coupling.groups, toy::random_scores(coupling.groups, 6),
                                     budget(BudgetUnit::macs, 0.5, RankingScope::local));
    double lowest = 1, highest = 0;
    for (size_t g = 0; g < coupling.groups.size(); ++g) {
        const auto& group = coupling.groups[g];
        if (group.frozen || group.channels < 4) continue;
        const double gone = static_cast<double>(allocation.removed[g].size());
        lowest = std::min(lowest, (gone + 1) / static_cast<double>(group.channels));
        highest = std::max(highest, (gone - 1) / static_cast<double>(group.channels));
    }
    EXPECT_LE(highest, lowest);  // some share lies within one channel of what every group lost
}

TEST(AllocationBudget, IsMonotoneAndDeterministic) {
    const auto coupling = toy::couple(toy::multi_task_model());
    const auto scores = toy::random_scores(coupling.groups, 7);
    for (const auto scope : kScopes) {
        Removed last(coupling.groups.size());
        for (const double share : {1.0, 0.8, 0.6, 0.4, 0.2}) {
            const auto options = budget(BudgetUnit::parameters, share, scope);
            const auto removed = allocate(coupling, coupling.groups, scores, options).removed;
            EXPECT_EQ(removed, allocate(coupling, coupling.groups, scores, options).removed);
            for (size_t g = 0; g < removed.size(); ++g)
                EXPECT_TRUE(
                    std::includes(removed[g].begin(), removed[g].end(), last[g].begin(), last[g].end()));
            last = removed;
        }
    }
}

TEST(AllocationBudget, OfTheWholeNetworkRemovesNothing) {
    const auto coupling = toy::couple(toy::residual());
    const auto scores = toy::random_scores(coupling.groups, 8);
    for (const auto unit : kUnits)
        for (const auto& channels : allocate(coupling, coupling.groups, scores, budget(unit, 1.0)).removed)
            EXPECT_TRUE(channels.empty());
}

TEST(AllocationBudget, InStepsLiesOnALine) {
    const auto coupling = toy::couple(toy::multi_task_model());
    const auto whole = static_cast<double>(cost_of(coupling.graph).macs);
    const auto options = budget(BudgetUnit::macs, 0.4);
    EXPECT_DOUBLE_EQ(at_step(coupling, options, 1, 3).budget.value, 0.8 * whole);
    EXPECT_DOUBLE_EQ(at_step(coupling, options, 2, 3).budget.value, 0.6 * whole);
    EXPECT_EQ(at_step(coupling, options, 3, 3).budget.value, 0.4);
}

TEST(AllocationBudget, IsApproachedAtAPace) {
    const auto coupling = toy::couple(toy::residual());
    AllocationOptions options;
    options.budget = {BudgetUnit::channels, 0.75};
    const auto ratio = [&](Pace pace, int64_t step) {
        return at_step(coupling, options, step, 4, pace).budget.value;
    };
    EXPECT_DOUBLE_EQ(ratio(Pace::linear, 2), 0.375);
    EXPECT_DOUBLE_EQ(ratio(Pace::cubic, 1), 0.75 * (1 - 27.0 / 64));
    EXPECT_DOUBLE_EQ(ratio(Pace::exponential, 2), 0.5);  // sqrt(1/4) is left
    EXPECT_EQ(ratio(Pace::each, 1), 0.75);
    for (const auto pace : {Pace::linear, Pace::cubic, Pace::exponential}) EXPECT_EQ(ratio(pace, 4), 0.75);
    options.budget = {BudgetUnit::macs, 0.25};
    const auto whole = static_cast<double>(cost_of(coupling.graph).macs);
    EXPECT_NEAR(ratio(Pace::exponential, 2), 0.5 * whole, 1e-6 * whole);
    options.budget = {BudgetUnit::channels, 1.0};
    EXPECT_THROW(ratio(Pace::exponential, 2), Error);
    options.budget = {BudgetUnit::count, 5};
    EXPECT_THROW(ratio(Pace::cubic, 2), Error);
}

TEST(AllocationBudget, AfterEarlierRemovalsRefersToTheNetworkAsCoupled) {
    const auto network = toy::classifier();
    const auto coupling = toy::couple(network);
    const auto scores = toy::random_scores(coupling.groups, 9);
    auto groups = coupling.groups;
    auto removed = Removed(groups.size());
    removed[toy::group_number(groups, "hidden")] = {1, 2};
    remove_channels(groups, make_plan(groups, removed));
    const auto left = toy::random_scores(groups, 10);
    const auto allocation = allocate(coupling, groups, left, budget(BudgetUnit::parameters, 0.5));
    EXPECT_LT(allocation.before.parameters, cost_of(coupling.graph).parameters);
    EXPECT_LE(allocation.after.parameters, 0.5 * cost_of(coupling.graph).parameters);
}

std::string reason(const Coupling& coupling, AllocationOptions options) {
    try {
        allocate(coupling, coupling.groups, toy::random_scores(coupling.groups, 11), options);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

void expect_parts(const std::string& message, const std::vector<std::string>& parts) {
    for (const auto& part : parts)
        EXPECT_NE(message.find(part), std::string::npos) << part << "\n" << message;
}

TEST(AllocationBudget, ThatCannotBeReachedSaysWhatStopsIt) {
    // left 3 -> 4, right 3 -> 5, last 9 -> 2 (frozen), kernels 3 x 3: 9 weights per pair of channels
    const auto coupling = toy::couple(toy::concatenation());
    auto options = budget(BudgetUnit::parameters, 10);
    // One channel each is the least: 2 * (27 + 1) + (9 * 2 * 2 + 2); with one output 18 + 1 fewer.
    expect_parts(reason(coupling, options), {"at most 10 parameters", "94 of", "frozen channels", "hold 19"});
    options.min_channels = 2;
    expect_parts(reason(coupling, options), {"186 of", "floors of 2 channels hold 92"});
    options.min_channels = 1;
    options.ignore = {"right"};  // keeps 5: 4 * (27 + 1 + 18) more
    expect_parts(reason(coupling, options), {"278 of", "ignored groups hold 184"});
    options.ignore.clear();
    options.max_ratio = 0.5;  // keep 2 and 3: 3 * 46 more
    expect_parts(reason(coupling, options), {"232 of", "maximum ratios of 0.5 hold 138"});
    options.max_ratio = 1;
    options.round_to = 2;
    expect_parts(reason(coupling, options), {"186 of", "multiples of 2 hold 92"});
    options.round_to = 1;
    options.ratios = {{"left", 0.25}};  // keeps 3
    expect_parts(reason(coupling, options), {"186 of", "ratios of single groups hold 92"});
}

}  // namespace
}  // namespace mtlprune::allocation_budget_test
