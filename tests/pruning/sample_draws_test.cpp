// Draws of channels against direct counts and the enumerated law of short sequences.
#include "pruning/criteria/pfp/sample_draws.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>

namespace mtlprune::sample_draws_test {
namespace {

const std::vector<double> kShares = {0.5, 0.3, 0.2};
constexpr int kDraws = 3, kRepeats = 20000;

double distinct_channels(const std::vector<double>& shares, double draws) {
    double sum = 0;
    for (const double q : shares) sum += 1 - std::pow(1 - q, draws);
    return std::ceil(sum - 1e-9);
}

/// Probability of every list of counts, over all sequences of kDraws draws.
std::map<std::vector<double>, double> enumerated_counts() {
    std::map<std::vector<double>, double> law;
    for (int sequence = 0; sequence < 27; ++sequence) {
        std::vector<double> counts(3, 0.0);
        double probability = 1;
        for (int draw = 0, rest = sequence; draw < kDraws; ++draw, rest /= 3) {
            ++counts[rest % 3];
            probability *= kShares[rest % 3];
        }
        law[counts] += probability;
    }
    return law;
}

void expect_frequency(int found, double probability, const std::string& what) {
    const double error = std::sqrt(probability * (1 - probability) / kRepeats);
    EXPECT_NEAR(static_cast<double>(found) / kRepeats, probability, 4.5 * error) << what;
}

TEST(DrawShares, AddUpToOneWithoutTheLeast) {
    const auto shares = draw_shares({1.0, 0.6, 0.4, 1e-7});
    EXPECT_NEAR(shares[0], 0.5, 1e-7);
    EXPECT_NEAR(shares[2], 0.2, 1e-7);
    EXPECT_EQ(shares[3], 0.0);
    EXPECT_EQ(draw_shares({0.0, 0.0}), (std::vector<double>{0.0, 0.0}));
}

TEST(DrawsFor, AndTheErrorThatAsksForThemAreInverse) {
    for (const double coefficient : {0.1, 30.0, 2e4})
        for (const double draws : {2.0, 3.0, 70.0, 1e6}) {
            const double error = error_of(draws, coefficient);
            EXPECT_GE(draws_for(error * (1 - 1e-9), coefficient), draws);
            EXPECT_LT(draws_for(error * (1 + 1e-9), coefficient), draws);
        }
    EXPECT_EQ(draws_for(1e9, 1.0), 1.0);
    EXPECT_GT(error_of(1, 5.0), error_of(2, 5.0));
    // 3 (6 + 2 / 2) 100 / (1/4), with S = 100 / (6 log(8 * 2 * 9 / 1e-16)).
    const double factor = 6 * std::log(8 * 2 * 9 / 1e-16);
    EXPECT_NEAR(draw_coefficient(100 / factor, 1, 9, 1e-16), 100, 1e-9);
    EXPECT_EQ(draws_for(0.5, 100), 8400.0);
}

TEST(DrawsInOrder, AreTheFewestWithSoManyDistinctChannelsExpected) {
    const auto shares = draw_shares({1.0, 0.9, 0.5, 0.2, 0.01, 0.01, 1e-3, 0.0});
    const auto needed = draws_in_order(shares);
    EXPECT_EQ(needed[0], 1.0);
    EXPECT_EQ(needed[1], 2.0);
    for (size_t j = 1; j < 7; ++j) {
        EXPECT_GE(distinct_channels(shares, needed[j]), static_cast<double>(j + 1)) << j;
        EXPECT_LT(distinct_channels(shares, needed[j] - 1), static_cast<double>(j + 1)) << j;
    }
    EXPECT_TRUE(std::isinf(needed[7]));
    EXPECT_EQ(distinct_channels(shares, 1), 1.0);
    EXPECT_EQ(distinct_channels(shares, 1e9), 7.0);
    EXPECT_NEAR(
        expected_distinct(shares, 20),
        7 -
            [&] {
                double missed = 0;
                for (size_t j = 0; j < 7; ++j) missed += std::pow(1 - shares[j], 20);
                return missed;
            }(),
        1e-12);
}

TEST(FirstDraws, HaveTheLawOfTheSequence) {
    std::map<std::vector<bool>, double> law;
    for (const auto& [counts, probability] : enumerated_counts())
        law[{counts[0] > 0, counts[1] > 0, counts[2] > 0}] += probability;
    std::map<std::vector<bool>, int> found;
    for (uint64_t key = 0; key < kRepeats; ++key) {
        const auto first = first_draws(kShares, Random(mix_key(key, Stream::method)));
        ++found[{first[0] <= kDraws, first[1] <= kDraws, first[2] <= kDraws}];
    }
    EXPECT_EQ(law.size(), 7U);
    for (const auto& [kept, probability] : law)
        expect_frequency(found[kept], probability, testing::PrintToString(kept));
}

TEST(DrawCounts, AreMultinomial) {
    std::map<std::vector<double>, int> found;
    for (uint64_t key = 0; key < kRepeats; ++key) {
        const auto first = first_draws(kShares, Random(mix_key(key, Stream::method)));
        ++found[draw_counts(kShares, first, kDraws, mix_key(key, Stream::method, 1))];
    }
    const auto law = enumerated_counts();
    EXPECT_EQ(law.size(), 10U);
    for (const auto& [counts, probability] : law)
        expect_frequency(found[counts], probability, testing::PrintToString(counts));
}

TEST(DrawCounts, OfAsMuchAsDoublesHoldTakeNoTime) {
    const auto first = first_draws(kShares, Random(4));
    const auto counts = draw_counts(kShares, first, 1e15, 5);
    EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), 0.0), 1e15);
    for (size_t j = 0; j < 3; ++j) EXPECT_NEAR(counts[j] / 1e15, kShares[j], 1e-6);
}

TEST(FirstDraws, OfChannelsThatAreNeverDrawnAreInfinite) {
    const auto first = first_draws({1.0, 0.0}, Random(1));
    EXPECT_EQ(first[0], 1.0);
    EXPECT_TRUE(std::isinf(first[1]));
}

}  // namespace
}  // namespace mtlprune::sample_draws_test
