#include "bench/compare/walsh_averages.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"
#include "tests/bad_input.h"

namespace mtlprune::bench::walsh_averages_test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(WalshAverages, OfThreeValuesAreCountedByHand) {
    // Averages 1, 1.5, 2, 2, 2.5, 3; signed-rank sums of three values: P(0) = P(1) = P(2) = 1/8, P(3) = 2/8.
    const std::vector<double> values = {3, 1, 2};
    const WalshAverages averages(values);
    EXPECT_EQ(averages.estimate(), 2);
    EXPECT_EQ(averages.lower(0.124), -kInfinity);
    EXPECT_EQ(averages.upper(0.124), kInfinity);
    EXPECT_EQ(averages.lower(0.125), 1);
    EXPECT_EQ(averages.upper(0.125), 3);
    EXPECT_EQ(averages.lower(0.25), 1.5);
    EXPECT_EQ(averages.upper(0.3), 2.5);
    EXPECT_EQ(averages.p_above(0.5), 1.0 / 8);
    EXPECT_EQ(averages.p_above(1.2), 2.0 / 8);
    EXPECT_EQ(averages.p_below(3.5), 1.0 / 8);
    EXPECT_EQ(averages.p_below(2.2), 3.0 / 8);
}

TEST(WalshAverages, AgreeWithPublishedTables) {
    // Ten values, all above 0 but the three smallest in size: W = 1 + 2 + 3 = 6 lies outside, P(W <= 6) =
    // 14/1024.
    const std::vector<double> values = {-0.1, -0.2, -0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0};
    EXPECT_DOUBLE_EQ(WalshAverages(values).p_above(0), 14.0 / 1024);
    // scipy 1.10: wilcoxon(x, alternative="greater", method="exact") = 0.0137 for the same values.
    EXPECT_NEAR(WalshAverages(values).p_above(0), 0.0137, 5e-5);
}

TEST(WalshAverages, BoundsAndPValuesAgree) {
    for (const size_t n : {5u, 12u, 40u}) {
        std::vector<double> values;
        Random random(n);
        for (size_t i = 0; i < n; ++i) values.push_back(random.normal());
        const WalshAverages averages(values);
        for (const double rate : {0.001, 0.02, 0.1, 0.4}) {
            const double low = averages.lower(rate), high = averages.upper(rate);
            if (std::isinf(low)) continue;
            EXPECT_LE(averages.p_above(low - 1e-9), rate);
            EXPECT_GT(averages.p_above(low), rate);
            EXPECT_LE(averages.p_below(high + 1e-9), rate);
            EXPECT_GT(averages.p_below(high), rate);
        }
    }
}

TEST(WalshAverages, OneWildValueMovesTheIntervalLittle) {
    std::vector<double> values;
    for (int i = 0; i < 20; ++i) values.push_back(0.03 + 0.001 * (i % 5));
    values.back() = 5;
    const WalshAverages averages(values);
    EXPECT_GT(averages.lower(0.01), 0.03);
    EXPECT_LT(averages.upper(0.01), 0.036);
}

TEST(FewestPairs, AreThoseWhoseSmallestProbabilityIsEnough) {
    EXPECT_EQ(fewest_pairs(1, 0.05), 5);  // 1/32
    EXPECT_EQ(fewest_pairs(1, 0.02), 6);  // 1/64
    EXPECT_EQ(fewest_pairs(8, 0.02), 9);  // 1/512 <= 1/400
}

TEST(WalshAverages, RefuseNoValuesAndTooMany) {
    EXPECT_NE(error_of([] { WalshAverages(std::vector<double>{}); }).find("1 to 1000"), std::string::npos);
    EXPECT_NE(error_of([] { WalshAverages(std::vector<double>(1001)); }).find("1001"), std::string::npos);
}

}  // namespace
}  // namespace mtlprune::bench::walsh_averages_test
