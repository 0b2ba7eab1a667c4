#include "bench/compare/decision.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/bad_input.h"

namespace mtlprune::bench::decision_test {
namespace {

/// n log ratios around log(ratio), spread evenly over +-spread.
LogRatios around(double ratio, double spread, int n) {
    LogRatios values;
    for (int i = 0; i < n; ++i) values.push_back(std::log(ratio) + spread * (2.0 * i / (n - 1) - 1));
    return values;
}

Verdict verdict_of_one(const LogRatios& values) {
    return decide({values}, {})[0].verdict;
}

TEST(Decision, SaysWhatTheIntervalSays) {
    EXPECT_EQ(verdict_of_one(around(1.0, 0.01, 10)), Verdict::same);
    EXPECT_EQ(verdict_of_one(around(1.03, 0.005, 10)), Verdict::worse);
    EXPECT_EQ(verdict_of_one(around(0.97, 0.005, 10)), Verdict::better);
    EXPECT_EQ(verdict_of_one(around(1.0, 0.3, 10)), Verdict::need_more_data);
    // All of the interval within the tolerance of 1 %: a difference, but none that counts.
    EXPECT_EQ(verdict_of_one(around(1.005, 0.0001, 10)), Verdict::same);
    // Outside the tolerance, inside the margin: different comes first.
    EXPECT_EQ(verdict_of_one(around(1.02, 0.0001, 10)), Verdict::worse);
}

TEST(Decision, CountsByHand) {
    // Six values: the smallest probability is 1/64 <= 0.02, and only all averages above the tolerance have
    // it.
    const LogRatios values = {0.02, 0.03, 0.04, 0.05, 0.06, 0.07};
    const auto decision = decide({values}, {})[0];
    EXPECT_EQ(decision.pairs, 6);
    EXPECT_DOUBLE_EQ(decision.ratio, std::exp(0.045));
    EXPECT_DOUBLE_EQ(decision.low, std::exp(0.02));
    EXPECT_DOUBLE_EQ(decision.high, std::exp(0.07));
    EXPECT_EQ(decision.verdict, Verdict::worse);
    // log(1.01) = 0.00995 lies above the smallest value here.
    EXPECT_NE(verdict_of_one({0.009, 0.03, 0.04, 0.05, 0.06, 0.07}), Verdict::worse);
    // Five values cannot say anything at 0.02.
    const auto too_few = decide({{0.1, 0.1, 0.1, 0.1, 0.1}}, {})[0];
    EXPECT_EQ(too_few.low, 0);
    EXPECT_EQ(too_few.verdict, Verdict::need_more_data);
}

TEST(Decision, HolmLeavesLaterBenchmarksMore) {
    // Two benchmarks at 0.02. Seven values above the tolerance: p = 1/128 <= 0.02 / 2. Six: p = 1/64, more
    // than 0.02 / 2 but not more than 0.02, which it gets because the first was rejected; beside one that is
    // not rejected it does not.
    const LogRatios seven = around(1.05, 0.001, 7), six = around(1.05, 0.001, 6),
                    nothing = around(1, 0.02, 9);
    EXPECT_EQ(decide({six, seven}, {})[0].verdict, Verdict::worse);
    EXPECT_NE(decide({six, nothing}, {})[0].verdict, Verdict::worse);
    EXPECT_EQ(decide({seven, nothing}, {})[0].verdict, Verdict::worse);
}

TEST(Decision, RulesThatContradictEachOtherAreErrors) {
    for (const DecisionRules rules :
         {DecisionRules{0.01, 0.02, 0.02}, DecisionRules{0.05, 0.05, 0.02}, DecisionRules{0.05, -0.01, 0.02},
          DecisionRules{1.5, 0.01, 0.02}, DecisionRules{0.05, 0.01, 0}, DecisionRules{0.05, 0.01, 0.5}})
        EXPECT_NE(error_of([&] { rules.check(); }).find("rules"), std::string::npos);
}

}  // namespace
}  // namespace mtlprune::bench::decision_test
