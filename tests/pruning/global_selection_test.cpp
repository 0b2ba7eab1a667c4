#include "pruning/allocation/global_selection.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"

namespace mtlprune::global_selection_test {
namespace {

using Removed = std::vector<std::vector<int64_t>>;

SelectionInput input(std::vector<torch::Tensor> scores) {
    SelectionInput input{std::move(scores), {}, {}, "test"};
    for (size_t g = 0; g < input.scores.size(); ++g) input.groups.push_back("group" + std::to_string(g));
    return input;
}

torch::Tensor scores(std::vector<double> values) {
    return torch::tensor(values, torch::kDouble);
}

TEST(GlobalSelection, TakesTheLowestOfAllGroups) {
    EXPECT_EQ(select_lowest(input({scores({5, 1, 9}), scores({2, 8, 7})}), 3, 1), (Removed{{0, 1}, {0}}));
}

TEST(GlobalSelection, BreaksTiesByGroupThenIndex) {
    EXPECT_EQ(select_lowest(input({scores({1, 0, 0}), scores({0, 0, 0})}), 3, 1), (Removed{{1, 2}, {0}}));
}

TEST(GlobalSelection, KeepsTheFloorOfEveryGroupAndStopsThere) {
    // Widths 8 and 6, floor 5: 3 + 1 can leave, in events of 2, 2 and none.
    auto both = input({torch::arange(8, torch::kDouble), torch::arange(6, torch::kDouble)});
    EXPECT_EQ(select_lowest(both, 2, 5), (Removed{{0}, {0}}));
    EXPECT_EQ(select_lowest(both, 100, 5), (Removed{{0, 1, 2}, {0}}));
    EXPECT_EQ(select_lowest(input({torch::zeros(5, torch::kDouble)}), 3, 5), (Removed{{}}));
}

TEST(GlobalSelection, SkipsDeadChannels) {
    auto masked = input({scores({0, 1, 2, 3})});
    masked.alive = {torch::tensor({false, true, true, true})};
    EXPECT_EQ(select_lowest(masked, 1, 1), (Removed{{1}}));
    EXPECT_EQ(select_lowest(masked, 9, 1), (Removed{{1, 2}}));
}

TEST(GlobalSelection, NegativeAndInfiniteScoresAreRanked) {
    const double infinity = std::numeric_limits<double>::infinity();
    EXPECT_EQ(select_lowest(input({scores({infinity, -infinity, -3, 2})}), 2, 1), (Removed{{1, 2}}));
}

TEST(GlobalSelection, NanNamesCriterionGroupAndChannel) {
    try {
        select_lowest(input({scores({1}), scores({2, std::nan("")})}), 1, 0);
        FAIL() << "NaN was accepted";
    } catch (const Error& error) {
        const std::string message = error.what();
        for (const char* part : {"criterion test", "group1", "channel 1", "NaN"})
            EXPECT_NE(message.find(part), std::string::npos) << message;
    }
}

}  // namespace
}  // namespace mtlprune::global_selection_test
