#include "bench/compare/sequential_gate.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/bad_input.h"
#include "tests/bench/noise.h"

namespace mtlprune::bench::sequential_gate_test {
namespace {

constexpr size_t kBenchmarks = 6;

/// One gate over noisy machines; benchmark 0 is slower by `slower`.
std::vector<GateResult> simulated_gate(const Noise& noise, double slower, const GatePlan& plan,
                                       uint64_t seed) {
    std::vector<NoisyMachine> machines;
    for (size_t b = 0; b < kBenchmarks; ++b) machines.emplace_back(noise, seed, b);
    return run_gate(kBenchmarks, plan, [&](const std::vector<size_t>& which, int64_t rounds, GatePhase) {
        std::vector<LogRatios> ratios(which.size());
        for (int64_t i = 0; i < rounds; ++i)
            for (size_t k = 0; k < which.size(); ++k)
                ratios[k].push_back(machines[which[k]].round(which[k] == 0 ? slower : 0));
        return ratios;
    });
}

struct Rates {
    double alarms = 0;  ///< share of gates in which a benchmark that is not slower fails
    double found = 0;   ///< share of gates in which benchmark 0 fails
    double rounds = 0;  ///< mean, of benchmark 0
};

Rates simulate(const Noise& noise, double slower, int gates, const GatePlan& plan = {}) {
    Rates rates;
    for (int i = 0; i < gates; ++i) {
        const auto results = simulated_gate(noise, slower, plan, static_cast<uint64_t>(i));
        bool alarm = slower == 0 && results[0].confirmed;
        for (size_t b = 1; b < kBenchmarks; ++b) alarm |= results[b].confirmed;
        rates.alarms += alarm;
        rates.found += slower > 0 && results[0].confirmed;
        rates.rounds += static_cast<double>(results[0].search.size() + results[0].fresh.size());
    }
    for (double* rate : {&rates.alarms, &rates.found, &rates.rounds}) *rate /= gates;
    return rates;
}

struct Case {
    const char* name;
    Noise noise;
};

std::vector<Case> cases() {
    Noise drifting, related, bimodal, bursts;
    drifting.white = 0.015;
    drifting.drift = 0.1;
    related.white = 0.012;
    related.related = 0.03;
    bimodal.white = 0.01;
    bimodal.mode = 0.03;
    bursts.white = 0.012;
    bursts.burst = 0.15;
    bursts.burst_share = 0.1;
    return {{"drifting", drifting}, {"autocorrelated", related}, {"bimodal", bimodal}, {"bursts", bursts}};
}

TEST(SimulatedGate, AlarmsRarelyAndFindsSlowDowns) {
    for (const auto& [name, noise] : cases()) {
        const auto same = simulate(noise, 0, 150), three = simulate(noise, 0.03, 100),
                   five = simulate(noise, 0.05, 100);
        const auto what =
            fmt::format("{}: alarms {:.3f} in {:.0f} rounds, 3 % {:.2f} in {:.0f}, 5 % {:.2f} in {:.0f}",
                        name, same.alarms, same.rounds, three.found, three.rounds, five.found, five.rounds);
        EXPECT_LE(same.alarms, 0.02) << what;
        EXPECT_LE(three.alarms, 0.02) << what;
        EXPECT_GE(three.found, 0.60) << what;
        EXPECT_GE(five.found, 0.95) << what;
        RecordProperty(name, what);
    }
}

/// Prints the table of docs/benchmarking.md.
TEST(SimulatedGate, DISABLED_ByNoise) {
    for (const double run : {0.01, 0.02, 0.025, 0.035, 0.05}) {
        Noise noise;
        noise.white = run;
        const auto same = simulate(noise, 0, 1000), three = simulate(noise, 0.03, 1000),
                   five = simulate(noise, 0.05, 1000);
        fmt::print("pair {:.1f} %: alarms {:.2f} %, 3 % found {:.1f} %, 5 % found {:.1f} %, {:.1f} rounds\n",
                   100 * run * std::sqrt(2.0), 100 * same.alarms, 100 * three.found, 100 * five.found,
                   same.rounds);
    }
}

TEST(SimulatedGate, KeepsItsAlarmRateWithoutATolerance) {
    // Nothing but the confirmation stands between a suspect and an alarm here. 0.02 of 400 gates are 8; more
    // than 16 would have probability 0.004 (binomial).
    GatePlan plan;
    plan.rules.tolerance = 0;
    plan.rules.margin = 0.001;  // hardly ever reached: the search uses all its looks
    Noise noise;
    noise.white = 0.01;
    noise.related = 0.02;
    EXPECT_LE(simulate(noise, 0, 400, plan).alarms * 400, 16);
}

TEST(SequentialGate, MeasuresOnlyWhatIsUndecidedAndConfirmsOnlySuspects) {
    struct Call {
        std::vector<size_t> which;
        int64_t rounds;
        GatePhase phase;
        bool operator==(const Call&) const = default;
    };
    std::vector<Call> calls;
    GatePlan plan;
    plan.first = 8;
    plan.step = 3;
    plan.most = 12;
    // 0 is the same, 1 is slower by 10 %, 2 jumps between +-50 %, 3 is slower in the search only.
    const auto results =
        run_gate(4, plan, [&](const std::vector<size_t>& which, int64_t rounds, GatePhase phase) {
            calls.push_back({which, rounds, phase});
            std::vector<LogRatios> ratios;
            for (const size_t b : which) {
                auto& own = ratios.emplace_back();
                for (int64_t i = 0; i < rounds; ++i) {
                    const double wobble = 1e-4 * static_cast<double>(i);
                    const double values[] = {wobble, 0.1 + wobble, (i % 2 == 0 ? 0.5 : -0.5) + wobble,
                                             phase == GatePhase::search ? 0.1 + wobble : wobble};
                    own.push_back(values[b]);
                }
            }
            return ratios;
        });
    const std::vector<Call> expected = {{{0, 1, 2, 3}, 8, GatePhase::search},
                                        {{2}, 3, GatePhase::search},
                                        {{2}, 1, GatePhase::search},
                                        {{1, 3}, 12, GatePhase::confirmation}};
    EXPECT_EQ(calls, expected);
    EXPECT_EQ(results[0].decision.verdict, Verdict::same);
    EXPECT_TRUE(results[1].confirmed);
    EXPECT_EQ(results[2].decision.verdict, Verdict::need_more_data);
    EXPECT_EQ(results[2].rounds, 12);
    EXPECT_TRUE(results[3].suspected);
    EXPECT_FALSE(results[3].confirmed);
    EXPECT_EQ(results[3].decision.verdict, Verdict::same);  // what the fresh rounds say
}

TEST(GatePlan, ThatCannotDecideIsAnError) {
    GatePlan plan;
    plan.first = 8;
    EXPECT_NE(error_of([&] { plan.check(8); }).find("at least 9 for 8 benchmarks"), std::string::npos);
    plan.most = 7;
    EXPECT_NE(error_of([&] { plan.check(1); }).find("first 8, most 7"), std::string::npos);
    plan = {};
    plan.suspicion = 0.01;  // stricter than the alarm: nothing would be found
    EXPECT_NE(error_of([&] { plan.check(1); }).find("suspicion"), std::string::npos);
}

}  // namespace
}  // namespace mtlprune::bench::sequential_gate_test
