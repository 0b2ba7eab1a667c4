#include "bench/compare/gate_rates.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "tests/bad_input.h"

namespace mtlprune::bench::gate_rates_test {
namespace {

/// Rounds with 1 % of noise in which planted variants are as much slower as they say.
Recording made_recording(size_t rounds) {
    Recording recording{{"one", "two"}, {false, false}, {}};
    Random random(5);
    for (size_t i = 0; i < rounds; ++i) {
        auto& round = recording.rounds.emplace_back();
        for (const double factor : {1.0, 1.0, 1.03, 1.05})
            round.push_back(
                {factor * std::exp(0.01 * random.normal()), factor * std::exp(0.01 * random.normal())});
    }
    return recording;
}

TEST(CutGates, FindWhatWasPlantedAndNothingElse) {
    const auto rates = cut_gates(made_recording(400), {}, 50, 3);
    EXPECT_EQ(rates.alarms.count, 0);
    EXPECT_EQ(rates.disjoint, 400 / 64);
    for (const auto& found : rates.found) {
        EXPECT_EQ(found.planted_5.count, 50);
        EXPECT_GE(found.planted_3.count, 45);
    }
    EXPECT_NE(rates_text(rates).find("50 gates"), std::string::npos);
    EXPECT_NE(error_of([] { cut_gates(made_recording(60), {}, 5, 3); }).find("at least 64"),
              std::string::npos);
}

TEST(Proportion, HasClopperAndPearsonsInterval) {
    // scipy 1.10: binomtest(k, n).proportion_ci(method="exact").
    const auto none = proportion(0, 200);
    EXPECT_EQ(none.low, 0);
    EXPECT_NEAR(none.high, 0.018275, 1e-6);
    const auto some = proportion(7, 200);
    EXPECT_NEAR(some.low, 0.0141855, 1e-6);
    EXPECT_NEAR(some.high, 0.0707810, 1e-6);
    EXPECT_EQ(proportion(10, 10).high, 1);
    EXPECT_NEAR(proportion(10, 10).low, 0.691503, 1e-6);
}

}  // namespace
}  // namespace mtlprune::bench::gate_rates_test
