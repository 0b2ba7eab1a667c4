#include "datasets/pipeline/frame_subset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "tests/bad_input.h"
#include "tests/toy_dataset.h"

namespace mtlprune::frame_subset_test {
namespace {

TEST(FrameSubset, GivesTheSourcesFramesUnderNewNumbers) {
    const FrameSubset subset(std::make_shared<ToyDataset>("train"), {2, 0}, "chosen");
    ASSERT_EQ(subset.size(), 2);
    EXPECT_EQ(subset.id(0), "toy 2");
    EXPECT_EQ(subset.get(1).id, "toy 0");
    EXPECT_EQ(subset.tasks().size(), ToyDataset("train").tasks().size());
    EXPECT_EQ(subset.description(), "toy frames, chosen (2 frames)");
    EXPECT_THROW(subset.get(2), std::out_of_range);
}

TEST(HoldOut, EveryFrameIsOnOneSide) {
    for (const int64_t size : {2, 3, 9, 10, 19, 100, 795})
        for (const double share : {0.01, 0.1, 0.25, 0.5}) {
            const auto split = hold_out(size, share);
            std::vector<int64_t> all = split.rest, numbers(static_cast<size_t>(size));
            std::iota(numbers.begin(), numbers.end(), 0);
            all.insert(all.end(), split.held_out.begin(), split.held_out.end());
            std::sort(all.begin(), all.end());
            EXPECT_EQ(all, numbers);
            const double wanted = std::max(1.0, share * static_cast<double>(size));
            EXPECT_NEAR(static_cast<double>(split.held_out.size()), wanted, 0.5) << size << " " << share;
        }
}

TEST(HoldOut, TakesTenRunsOfNeighboursFromTheWholeLength) {
    const auto held_out = hold_out(1000, 0.1).held_out;
    int runs = 1;
    for (size_t i = 1; i < held_out.size(); ++i) runs += held_out[i] != held_out[i - 1] + 1;
    EXPECT_EQ(runs, 10);
    for (size_t run = 0; run < 10; ++run) EXPECT_EQ(held_out[run * 10] / 100, static_cast<int64_t>(run));
}

TEST(HoldOut, OneFrameIsTooFew) {
    EXPECT_EQ(error_of([] { hold_out(1, 0.1); }),
              "data set: frames to hold some out for validation: expected at least 2, found 1");
}

}  // namespace
}  // namespace mtlprune::frame_subset_test
