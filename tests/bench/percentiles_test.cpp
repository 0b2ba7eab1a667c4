#include "bench/kit/percentiles.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/error.h"

namespace mtlprune::percentiles_test {
namespace {

std::vector<double> count_up(size_t count) {
    std::vector<double> values(count);
    std::iota(values.begin(), values.end(), 0.0);
    return values;
}

/// MLPerf's rule: the value at index floor(n p).
TEST(Percentiles, CountFromZero) {
    EXPECT_EQ(percentile(count_up(100), 0.9), 90);
    EXPECT_EQ(percentile(count_up(100), 0.0), 0);
    EXPECT_EQ(percentile(count_up(5), 0.5), 2);
    EXPECT_EQ(percentile({7}, 0.99), 7);
}

/// The table of MLPerf's early stopping.
TEST(Percentiles, TakeAsManyRunsAsInMlperf) {
    const std::vector<std::pair<int64_t, int64_t>> ninetieth = {{1, 64}, {2, 81}, {5, 127}, {10, 197}};
    for (const auto& [above, runs] : ninetieth) EXPECT_EQ(runs_needed(0.9, above), runs);
    const std::vector<std::pair<int64_t, int64_t>> last = {{1, 662}, {2, 838}, {5, 1307}, {10, 2010}};
    for (const auto& [above, runs] : last) EXPECT_EQ(runs_needed(0.99, above), runs);
}

TEST(Percentiles, AreBoundedByTheLargestValuesThatAreAllowedToBeAbove) {
    EXPECT_FALSE(percentile_bound(count_up(63), 0.9));
    EXPECT_EQ(percentile_bound(count_up(64), 0.9), 63);
    EXPECT_EQ(percentile_bound(count_up(80), 0.9), 79);
    EXPECT_EQ(percentile_bound(count_up(81), 0.9), 79);
    EXPECT_EQ(percentile_bound(count_up(197), 0.9), 187);
}

/// P(Bin(6, 1/2) = 0) = 1/64 <= 0.025 < 1/32; P(Bin(9, 1/2) <= 1) = 10/512 <= 0.025 < 46/512.
TEST(Percentiles, MedianLiesBetweenOrderedValues) {
    const auto of = [](size_t count) { return median_interval(count_up(count)); };
    EXPECT_EQ(of(1).low, 0);
    EXPECT_EQ(of(5).high, 4);
    EXPECT_EQ(of(6).low, 0);
    EXPECT_EQ(of(6).high, 5);
    EXPECT_EQ(of(9).low, 1);
    EXPECT_EQ(of(9).high, 7);
    EXPECT_THROW(median_interval({}), Error);
}

}  // namespace
}  // namespace mtlprune::percentiles_test
