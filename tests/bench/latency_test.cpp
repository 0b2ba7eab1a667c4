#include "bench/kit/latency.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/error.h"
#include "bench/kit/session.h"

namespace mtlprune::latency_test {
namespace {

/// Writes down when it runs.
struct Counted : Subject {
    Counted(int own, std::vector<int>& all) : number(own), order(all) {}
    void run() override { order.push_back(number); }
    std::vector<torch::Tensor> outputs() override { return {}; }
    int number;
    std::vector<int>& order;
};

constexpr LatencyOptions kShort = {.warm_up_runs = 3, .warm_up_seconds = 0, .seconds = 0, .runs = 40};

std::vector<int> order_of_runs(uint64_t seed) {
    std::vector<int> order;
    Counted a(0, order), b(1, order), c(2, order);
    auto options = kShort;
    options.seed = seed;
    const auto latencies = measure_latencies({&a, &b, &c}, options);
    EXPECT_EQ(latencies.size(), 3U);
    for (const auto& of : latencies) EXPECT_EQ(of.size(), 40U);
    return order;
}

TEST(Latencies, AreOfRoundsInWhichEverySubjectRunsOnce) {
    const auto order = order_of_runs(1);
    ASSERT_EQ(order.size(), 3U * (3 + 40));
    std::set<std::vector<int>> rounds;
    for (size_t first = 9; first < order.size(); first += 3) {
        std::vector<int> round(order.begin() + static_cast<int64_t>(first),
                               order.begin() + static_cast<int64_t>(first) + 3);
        rounds.insert(round);
        std::sort(round.begin(), round.end());
        EXPECT_EQ(round, (std::vector<int>{0, 1, 2}));
    }
    EXPECT_EQ(rounds.size(), 6U) << "every order of three occurs in 40 rounds";
    EXPECT_EQ(order, order_of_runs(1));
    EXPECT_NE(order, order_of_runs(2));
}

TEST(Latencies, StopAtTheMostSecondsAllTheSame) {
    std::vector<int> order;
    Counted a(0, order);
    auto options = kShort;
    options.seconds = 1e6;
    options.most_seconds = 0.01;
    EXPECT_GE(measure_latencies({&a}, options).front().size(), 1U);
}

TEST(Latencies, SummaryByHand) {
    Latencies latencies(100);
    std::iota(latencies.begin(), latencies.end(), 901.0);
    std::swap(latencies[3], latencies[97]);
    const auto summary = summarise(latencies);
    EXPECT_EQ(summary.runs, 100);
    EXPECT_EQ(summary.p50, 951);
    EXPECT_EQ(summary.p90, 991);
    EXPECT_EQ(summary.p99, 1000);
    EXPECT_DOUBLE_EQ(summary.mean, 950.5);
    EXPECT_EQ(summary.p90_bound, 998) << "three may be above in 98 to 112 runs";
    EXPECT_DOUBLE_EQ(summary.spread, 50.0 / 951);
    EXPECT_EQ(summary.status(), "VALID");
}

TEST(Latencies, SayWhyTheyAreInvalid) {
    EXPECT_EQ(summarise(Latencies(100, 0.5)).status(), "INVALID(50.0 s of runs, 60 are needed)");
    EXPECT_EQ(summarise(Latencies(100, 0.5), 10).status(), "VALID");
    EXPECT_EQ(summarise(Latencies(60, 2.0)).status(), "INVALID(60 runs, 64 are needed)");
    Latencies noisy(100, 1.0);
    for (size_t i = 0; i < 100; i += 2) noisy[i] = 1.5;
    EXPECT_EQ(summarise(noisy).invalid,
              "the middle half of the runs spreads over 33 % of the median, at most 15 are allowed");
    EXPECT_THROW(summarise({}), Error);
}

TEST(Latencies, SpeedUpIsTheMedianOfTheRounds) {
    const Latencies slow = {2, 4, 6, 8, 10, 12, 14, 16, 18}, fast = {1, 1, 2, 2, 5, 3, 7, 8, 1};
    // ratios 2 4 3 4 2 4 2 2 18, in order 2 2 2 2 3 4 4 4 18
    const auto faster = speed_up(slow, fast);
    EXPECT_EQ(faster.ratio, 3);
    EXPECT_EQ(faster.interval.low, 2);
    EXPECT_EQ(faster.interval.high, 4);
    EXPECT_THROW(speed_up({1, 2}, {1}), Error);
}

TEST(Latencies, OfASessionAreMeasuredOncePerRepetition) {
    std::vector<int> order;
    int prepared = 0;
    Session session(
        [&] {
            ++prepared;
            std::vector<std::unique_ptr<Subject>> subjects;
            for (int i = 0; i < 2; ++i) subjects.push_back(std::make_unique<Counted>(i, order));
            return subjects;
        },
        2, kShort, "counting");
    EXPECT_EQ(session.next(0).size(), 2U);
    session.next(1);
    EXPECT_EQ(prepared, 1);
    session.next(1);
    EXPECT_EQ(prepared, 2);
    session.next(0);
    EXPECT_EQ(prepared, 2);
    EXPECT_EQ(order.size(), 2U * 2 * 43);
}

}  // namespace
}  // namespace mtlprune::latency_test
