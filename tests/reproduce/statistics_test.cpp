#include "reproduce/analysis/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "base/error.h"

namespace mtlprune::statistics_test {
namespace {

using Values = std::vector<double>;

// Closed forms of Student's t: P(T > t) for 1 and 2 degrees of freedom.
double upper_tail_1(double t) {
    return 0.5 - std::atan(t) / std::numbers::pi;
}
double upper_tail_2(double t) {
    return 0.5 - t / (2 * std::sqrt(2 + t * t));
}

TEST(Summary, UsesDivisorNMinusOne) {
    const Summary sample = summarize(Values{2, 4, 4, 4, 5, 5, 7, 9});
    EXPECT_EQ(sample.n, 8);
    EXPECT_DOUBLE_EQ(sample.mean, 5);
    EXPECT_DOUBLE_EQ(sample.sd, std::sqrt(32.0 / 7));
}

TEST(Summary, OfOneValueHasNoSpread) {
    EXPECT_TRUE(std::isnan(summarize(Values{3}).sd));
}

TEST(Summary, RejectsNothingAndNonFinite) {
    EXPECT_THROW(summarize(Values{}), Error);
    EXPECT_THROW(summarize(Values{1, std::nan("")}), Error);
}

TEST(PairedDifferences, NeedEqualLengths) {
    EXPECT_EQ(paired_differences(Values{3, 5}, Values{1, 8}), (Values{2, -3}));
    EXPECT_THROW(paired_differences(Values{1}, Values{1, 2}), Error);
}

TEST(TTest, OneDegreeOfFreedomAgreesWithCauchy) {
    const Values x = {1, 4};  // mean 2.5, sd 3/sqrt 2, se 1.5, t = 5/3
    const TestResult greater = t_test(x, Alternative::greater);
    EXPECT_DOUBLE_EQ(greater.statistic, 5.0 / 3);
    EXPECT_NEAR(greater.p, upper_tail_1(5.0 / 3), 1e-14);
    EXPECT_NEAR(t_test(x, Alternative::less).p, 1 - upper_tail_1(5.0 / 3), 1e-14);
    EXPECT_NEAR(t_test(x, Alternative::two_sided).p, 2 * upper_tail_1(5.0 / 3), 1e-14);
}

TEST(TTest, TwoDegreesOfFreedomAgreeWithClosedForm) {
    const Values x = {1, 2, 6};  // mean 3, variance 7
    const double t = (3 - 0.5) / std::sqrt(7.0 / 3);
    EXPECT_NEAR(t_test(x, Alternative::greater, 0.5).p, upper_tail_2(t), 1e-14);
}

// Student (1908), extra hours of sleep: t = 4.06, df = 9, two-sided p = 0.00283.
TEST(TTest, StudentsSleepData) {
    const Values first = {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};
    const Values second = {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};
    const TestResult paired = t_test(paired_differences(second, first), Alternative::two_sided);
    EXPECT_EQ(paired.degrees_of_freedom, 9);
    EXPECT_NEAR(paired.estimate, 1.58, 1e-12);
    EXPECT_NEAR(paired.statistic, 4.0621, 1e-4);
    EXPECT_NEAR(paired.p, 0.002833, 1e-6);
    const TestResult welch = welch_test(first, second, Alternative::two_sided);
    EXPECT_NEAR(welch.statistic, -1.8608, 1e-4);
    EXPECT_NEAR(welch.degrees_of_freedom, 17.776, 1e-3);
    EXPECT_NEAR(welch.p, 0.07939, 1e-5);
}

TEST(TTest, WithoutSpreadIsCertain) {
    EXPECT_EQ(t_test(Values{1, 1}, Alternative::greater).p, 0);
    EXPECT_EQ(t_test(Values{1, 1}, Alternative::less).p, 1);
    EXPECT_EQ(t_test(Values{1, 1}, Alternative::greater, 1).p, 0.5);
    EXPECT_THROW(t_test(Values{1}, Alternative::greater), Error);
}

TEST(WelchTest, EqualSizesAndVariancesHavePooledDegreesOfFreedom) {
    const TestResult result = welch_test(Values{1, 3}, Values{5, 7}, Alternative::less);
    EXPECT_DOUBLE_EQ(result.degrees_of_freedom, 2);
    EXPECT_DOUBLE_EQ(result.statistic, -4 / std::sqrt(2.0));
    EXPECT_NEAR(result.p, upper_tail_2(4 / std::sqrt(2.0)), 1e-14);
}

TEST(EquivalenceTest, IsTheLargerOfTwoOneSidedTests) {
    const Values x = {0.5, 1, 1.5};  // mean 1, se 0.5 / sqrt 3
    const double se = 0.5 / std::sqrt(3.0);
    EXPECT_NEAR(equivalence_test(x, 3).p, upper_tail_2(2 / se), 1e-14);
    EXPECT_NEAR(equivalence_test(Values{-0.5, -1, -1.5}, 3).p, upper_tail_2(2 / se), 1e-14);
    EXPECT_GT(equivalence_test(x, 0.9).p, 0.5);
    EXPECT_THROW(equivalence_test(x, 0), Error);
}

// TOST at level alpha and the 1 - 2 alpha interval inside the margins are the same decision.
TEST(EquivalenceTest, AgreesWithTheInterval) {
    const Values x = {0.2, -0.1, 0.4, 0.3};
    const Interval interval = t_interval(x, 0.9);
    EXPECT_NEAR(equivalence_test(x, interval.high).p, 0.05, 1e-12);
}

TEST(NonInferiorityTest, TestsAgainstMinusMargin) {
    const Values x = {-1, 0, 1};  // mean 0, se 1 / sqrt 3
    EXPECT_NEAR(non_inferiority_test(x, 2).p, upper_tail_2(2 * std::sqrt(3.0)), 1e-14);
}

// Tables of t: 2.776 for 95 % with 4 degrees of freedom, 6.314 for 90 % with 1.
TEST(TInterval, AgreesWithTables) {
    const Interval interval = t_interval(Values{1, 2, 3, 4, 5}, 0.95);
    EXPECT_NEAR(interval.high, 3 + 2.776445 * std::sqrt(0.5), 1e-6);
    EXPECT_NEAR(interval.low, 3 - 2.776445 * std::sqrt(0.5), 1e-6);
    EXPECT_NEAR(t_interval(Values{0, 2}, 0.9).high, 1 + 6.313752, 1e-6);
    EXPECT_THROW(t_interval(Values{0, 2}, 1), Error);
}

TEST(Wilcoxon, CountsSignAssignments) {
    // All positive, n = 5: one of 32 assignments.
    EXPECT_DOUBLE_EQ(wilcoxon_signed_rank_p(Values{1, 2, 3, 4, 5}, Alternative::greater), 1.0 / 32);
    EXPECT_DOUBLE_EQ(wilcoxon_signed_rank_p(Values{1, 2, 3, 4, 5}, Alternative::two_sided), 2.0 / 32);
    // W+ = 9 of 10, n = 4 (only rank 1 negative): W+ >= 9 in 2 of 16.
    EXPECT_DOUBLE_EQ(wilcoxon_signed_rank_p(Values{-1, 2, 3, 4}, Alternative::greater), 2.0 / 16);
    EXPECT_DOUBLE_EQ(wilcoxon_signed_rank_p(Values{-1, 2, 3, 4}, Alternative::less), 15.0 / 16);
}

TEST(Wilcoxon, TiesShareRanksAndZerosAreDropped) {
    // |values| 1, 1, 2 have ranks 1.5, 1.5, 3; W+ = 4.5 of 6. Sums >= 4.5: {1.5, 3} twice and all: 3 of 8.
    EXPECT_DOUBLE_EQ(wilcoxon_signed_rank_p(Values{1, -1, 2, 0}, Alternative::greater), 3.0 / 8);
    EXPECT_EQ(wilcoxon_signed_rank_p(Values{0, 0}, Alternative::greater), 1);
}

TEST(Holm, AdjustsStepDownAndKeepsOrder) {
    const Values adjusted = holm_adjusted(Values{0.04, 0.01, 0.03});
    EXPECT_DOUBLE_EQ(adjusted[1], 0.03);
    EXPECT_DOUBLE_EQ(adjusted[2], 0.06);
    EXPECT_DOUBLE_EQ(adjusted[0], 0.06);  // never below the one before
    EXPECT_EQ(holm_adjusted(Values{0.9, 0.8}), (Values{1, 1}));
    EXPECT_THROW(holm_adjusted(Values{1.5}), Error);
}

TEST(EffectSize, CohenAndHedges) {
    EXPECT_DOUBLE_EQ(cohen_dz(Values{1, 2, 3}), 2);
    EXPECT_TRUE(std::isnan(cohen_dz(Values{1})));
    // J(2) = 1 / sqrt(pi); J(4) = Gamma(2) / (sqrt(2) Gamma(3/2)) = sqrt(2 / pi).
    EXPECT_NEAR(hedges_factor(2), 1 / std::sqrt(std::numbers::pi), 1e-14);
    EXPECT_NEAR(hedges_factor(4), std::sqrt(2 / std::numbers::pi), 1e-14);
    EXPECT_TRUE(std::isnan(hedges_factor(1)));
}

}  // namespace
}  // namespace mtlprune::statistics_test
