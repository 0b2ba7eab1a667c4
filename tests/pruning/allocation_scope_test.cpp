// Channel ratios within the four scopes, and in several steps.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>

#include "base/error.h"
#include "pruning/surgery/surgery.h"
#include "tests/pruning/toy_networks.h"
#include "tests/pruning/toy_scores.h"

namespace mtlprune::allocation_scope_test {
namespace {

using toy::Removed;

torch::Tensor values(std::vector<double> v) {
    return torch::tensor(v, torch::kFloat64);
}

AllocationOptions ratio(double value, RankingScope scope = RankingScope::local) {
    AllocationOptions options;
    options.scope = scope;
    options.budget.value = value;
    return options;
}

/// Groups left (4 channels), right (5) and last (2, frozen).
struct Concatenation {
    Coupling coupling = toy::couple(toy::concatenation());
    toy::Scores scores = {values({4, 1, 3, 2}), values({0.5, 9, 8, 7, 1.5}), {}};
    Allocation allocate(const AllocationOptions& options) const {
        return mtlprune::allocate(coupling, coupling.groups, scores, options);
    }
};

TEST(AllocationScope, LocalTakesTheSameShareOfEveryGroup) {
    const Concatenation toy;
    ASSERT_EQ(channel_counts(toy.coupling.groups), (std::vector<int64_t>{4, 5, 2}));
    EXPECT_EQ(toy.allocate(ratio(0.5)).removed, (Removed{{1, 3}, {0, 3, 4}, {}}));  // 5 - int(2.5) = 3
    EXPECT_EQ(toy.allocate(ratio(0.2)).removed, (Removed{{1}, {0}, {}}));
    EXPECT_EQ(toy.allocate(ratio(0.0)).removed, (Removed{{}, {}, {}}));
}

TEST(AllocationScope, GlobalTakesTheLowestOfAll) {
    const Concatenation toy;  // in order: 0.5 1 1.5 2 3 4 7 8 9
    EXPECT_EQ(toy.allocate(ratio(0.5, RankingScope::global)).removed, (Removed{{1, 2, 3}, {0, 4}, {}}));
    EXPECT_EQ(toy.allocate(ratio(0.2, RankingScope::global)).removed, (Removed{{1}, {0}, {}}));
}

TEST(AllocationScope, GlobalKeepsOneChannelOfEveryGroupAndGoesOnElsewhere) {
    Concatenation toy;
    toy.scores[0] = values({1, 2, 3, 4}) * 1e-3;
    EXPECT_EQ(toy.allocate(ratio(0.5, RankingScope::global)).removed, (Removed{{0, 1, 2}, {0, 4}, {}}));
}

TEST(AllocationScope, TiesAreBrokenByGroupThenIndex) {
    Concatenation toy;
    toy.scores = {torch::zeros(4, torch::kFloat64), torch::zeros(5, torch::kFloat64), {}};
    EXPECT_EQ(toy.allocate(ratio(0.5, RankingScope::global)).removed, (Removed{{0, 1, 2}, {0, 1}, {}}));
    EXPECT_EQ(toy.allocate(ratio(0.5)).removed, (Removed{{0, 1}, {0, 1, 2}, {}}));
}

AllocationOptions lowest(double count, int64_t floor) {
    AllocationOptions options;
    options.scope = RankingScope::global;
    options.budget = {BudgetUnit::count, count};
    options.min_channels = floor;
    return options;
}

TEST(AllocationScope, ACountIsTheLowestOfAll) {
    Concatenation toy;  // in order: 0.5 1 1.5 2 3 4 7 8 9
    EXPECT_EQ(toy.allocate(lowest(3, 1)).removed, (Removed{{1}, {0, 4}, {}}));
    EXPECT_EQ(toy.allocate(lowest(0, 1)).removed, (Removed{{}, {}, {}}));
    const double infinity = std::numeric_limits<double>::infinity();
    toy.scores[0] = values({infinity, -infinity, -3, 2});
    EXPECT_EQ(toy.allocate(lowest(3, 1)).removed, (Removed{{1, 2}, {0}, {}}));
}

TEST(AllocationScope, ACountStopsAtTheFloorsAndGoesOnElsewhere) {
    const Concatenation toy;
    EXPECT_EQ(toy.allocate(lowest(3, 3)).removed, (Removed{{1}, {0, 4}, {}}));
    EXPECT_EQ(toy.allocate(lowest(100, 3)).removed, (Removed{{1}, {0, 4}, {}}));
    EXPECT_TRUE(toy.allocate(lowest(100, 3)).notes.empty());
}

TEST(AllocationScope, GroupsMayBeEmptiedForMasksAlone) {
    const Concatenation toy;
    auto options = lowest(100, 0);
    EXPECT_THROW(toy.allocate(options), Error);
    options.may_empty = true;
    EXPECT_EQ(toy.allocate(options).removed, (Removed{{0, 1, 2, 3}, {0, 1, 2, 3, 4}, {}}));
}

TEST(AllocationScope, OnlyTheNamedGroupsShrink) {
    const Concatenation toy;
    auto options = lowest(2, 1);
    options.only = {"left"};
    EXPECT_EQ(toy.allocate(options).removed, (Removed{{1, 3}, {}, {}}));
    EXPECT_EQ(open_groups(toy.coupling, toy.coupling.groups, options), (std::vector<size_t>{0}));
    options.only = {"nobody"};
    EXPECT_THROW(toy.allocate(options), Error);
}

TEST(AllocationScope, IsomorphicRanksEqualBlocksTogether) {
    toy::Network n;
    auto stem = n.convolution("stem", 3, 4), a = n.convolution("a", 4, 4), b = n.convolution("b", 4, 4),
         c = n.convolution("c", 4, 4), d = n.convolution("d", 4, 4), last = n.convolution("last", 4, 2);
    n = toy::finish(n, [=](const std::vector<torch::Tensor>& in) mutable -> std::vector<torch::Tensor> {
        auto x = stem(in[0]);
        x = x + b(torch::relu(a(x)));
        x = x + d(torch::relu(c(x)));
        return {last(x)};
    });
    const auto coupling = toy::couple(n);
    const auto& groups = coupling.groups;  // stem + b + d, a, c, last
    auto scores = toy::random_scores(groups, 1);
    const size_t first = toy::group_number(groups, "a"), second = toy::group_number(groups, "c"),
                 stream = toy::group_number(groups, "stem");
    scores[stream] = values({0.1, 0.2, 0.3, 0.4});
    scores[first] = values({1, 2, 3, 9});
    scores[second] = values({8, 7, 6, 5});
    const auto removed = allocate(coupling, groups, scores, ratio(0.5, RankingScope::isomorphic)).removed;
    EXPECT_EQ(removed[stream], (std::vector<int64_t>{0, 1}));
    EXPECT_EQ(removed[first], (std::vector<int64_t>{0, 1, 2}));
    EXPECT_EQ(removed[second], (std::vector<int64_t>{3}));
}

TEST(AllocationScope, OwnersLoseTheirShareEach) {
    const auto coupling = toy::couple(toy::multi_task_model());
    const auto& groups = coupling.groups;
    // The backbone scores lowest: a global ranking would leave the heads alone.
    auto scores = toy::random_scores(groups, 2);
    for (size_t g = 0; g < groups.size(); ++g)
        if (groups[g].outputs.size() == 1) scores[g] += 1.0;
    const auto removed = allocate(coupling, groups, scores, ratio(0.25, RankingScope::owner)).removed;
    std::map<std::vector<size_t>, std::pair<int64_t, int64_t>> owners;
    for (size_t g = 0; g < groups.size(); ++g) {
        if (groups[g].frozen) continue;
        owners[groups[g].outputs].first += groups[g].channels;
        owners[groups[g].outputs].second += static_cast<int64_t>(removed[g].size());
    }
    EXPECT_EQ(owners.size(), 4U);  // all three tasks, and each alone
    for (const auto& [outputs, counts] : owners)
        EXPECT_EQ(counts.second, counts.first - static_cast<int64_t>(counts.first * 0.75));
    const auto all = allocate(coupling, groups, scores, ratio(0.1, RankingScope::global)).removed;
    for (size_t g = 0; g < groups.size(); ++g) EXPECT_TRUE(groups[g].outputs.size() > 1 || all[g].empty());
}

TEST(AllocationScope, LosesMoreWithAHigherRatioAndNeverOtherChannels) {
    const auto coupling = toy::couple(toy::multi_task_model());
    for (const auto scope :
         {RankingScope::local, RankingScope::isomorphic, RankingScope::owner, RankingScope::global}) {
        const auto scores = toy::random_scores(coupling.groups, 3);
        auto last = allocate(coupling, coupling.groups, scores, ratio(0.0, scope));
        for (double r = 0.05; r < 0.99; r += 0.05) {
            const auto next = allocate(coupling, coupling.groups, scores, ratio(r, scope));
            for (size_t g = 0; g < last.removed.size(); ++g)
                EXPECT_TRUE(std::includes(next.removed[g].begin(), next.removed[g].end(),
                                          last.removed[g].begin(), last.removed[g].end()));
            EXPECT_LE(next.after.parameters, last.after.parameters);
            EXPECT_LE(next.after.macs, last.after.macs);
            last = next;
        }
    }
}

TEST(AllocationScope, FollowsAPermutationOfTheChannels) {
    const Concatenation toy;
    auto permuted = toy;
    const auto order = torch::tensor({2, 4, 0, 1, 3});
    permuted.scores[1] = toy.scores[1].index_select(0, order);
    std::vector<int64_t> expected;
    const auto allocation = permuted.allocate(ratio(0.4, RankingScope::global));
    for (const int64_t c : allocation.removed[1]) expected.push_back(order[c].item<int64_t>());
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(toy.allocate(ratio(0.4, RankingScope::global)).removed[1], expected);
}

TEST(AllocationScope, SeveralStepsEndWhereOneStepDoes) {
    auto network = toy::concatenation();
    const auto coupling = toy::couple(network);
    auto groups = coupling.groups;
    toy::Scores scores = {values({4, 1, 3, 2}), values({0.5, 9, 8, 7, 1.5}), {}};
    const std::vector<std::vector<int64_t>> expected = {{4, 5, 2}, {3, 4, 2}, {2, 3, 2}, {2, 2, 2}};
    for (int64_t step = 1; step <= 3; ++step) {  // ratios 1/6, 1/3, 1/2 of 4 and 5 channels
        const auto options = at_step(coupling, ratio(0.5), step, 3);
        const auto allocation = allocate(coupling, groups, scores, options);
        const auto plan = apply_plan(*network.module, groups, allocation.removed);
        for (size_t g = 0; g < 2; ++g) {
            auto keep = torch::ones(groups[g].channels, torch::kBool);
            for (const int64_t c : allocation.removed[g]) keep[c] = false;
            scores[g] = scores[g].masked_select(keep);
        }
        remove_channels(groups, plan);
        EXPECT_EQ(channel_counts(groups), expected[step]);
        EXPECT_EQ(allocation.after, cost_of(toy::couple(network).graph));
    }
    EXPECT_TRUE(torch::equal(scores[0], values({4, 3})));
    EXPECT_TRUE(torch::equal(scores[1], values({9, 8})));
    EXPECT_THROW(at_step(coupling, ratio(0.5), 4, 3), Error);
    EXPECT_THROW(at_step(coupling, ratio(0.5), 0, 3), Error);
}

TEST(AllocationScope, NanNamesGroupAndChannel) {
    Concatenation toy;
    toy.scores[1][2] = std::numeric_limits<double>::quiet_NaN();
    try {
        toy.allocate(ratio(0.5));
        FAIL() << "NaN was accepted";
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("group right channel 2"), std::string::npos) << error.what();
    }
}

TEST(AllocationScope, ScoresMustFitTheGroups) {
    Concatenation toy;
    toy.scores[0] = values({1, 2});
    EXPECT_THROW(toy.allocate(ratio(0.5)), Error);
    toy.scores[0] = torch::Tensor();
    EXPECT_THROW(toy.allocate(ratio(0.5)), Error);
    toy.scores.pop_back();
    EXPECT_THROW(toy.allocate(ratio(0.5)), Error);
}

}  // namespace
}  // namespace mtlprune::allocation_scope_test
