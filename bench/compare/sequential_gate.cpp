#include "bench/compare/sequential_gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "bench/compare/walsh_averages.h"

namespace mtlprune::bench {
namespace {

bool is_suspect(const LogRatios& values, const GatePlan& plan) {
    return WalshAverages(values).lower(plan.suspicion) > std::log1p(plan.rules.tolerance);
}

void look(std::vector<GateResult>& results, const GatePlan& plan) {
    std::vector<LogRatios> all;
    for (const auto& result : results) all.push_back(result.search);
    const auto decisions = decide(all, plan.rules);
    for (size_t i = 0; i < results.size(); ++i) {
        results[i].decision = decisions[i];
        results[i].suspected = is_suspect(results[i].search, plan);
        results[i].rounds = static_cast<int64_t>(results[i].search.size());
    }
}

bool is_decided(const GateResult& result) {
    return result.suspected || result.decision.verdict != Verdict::need_more_data;
}

void add_rounds(std::vector<GateResult>& results, LogRatios GateResult::*place,
                const std::vector<size_t>& which, int64_t rounds, GatePhase phase,
                const MeasureRounds& measure) {
    const auto measured = measure(which, rounds, phase);
    for (size_t i = 0; i < which.size(); ++i) {
        auto& values = results[which[i]].*place;
        values.insert(values.end(), measured.at(i).begin(), measured.at(i).end());
    }
}

void confirm(std::vector<GateResult>& results, const GatePlan& plan, const MeasureRounds& measure) {
    std::vector<size_t> suspects;
    for (size_t i = 0; i < results.size(); ++i)
        if (results[i].suspected) suspects.push_back(i);
    if (suspects.empty()) return;
    add_rounds(results, &GateResult::fresh, suspects, plan.most, GatePhase::confirmation, measure);
    std::vector<LogRatios> fresh;
    for (const size_t i : suspects) fresh.push_back(results[i].fresh);
    const auto decisions = decide(fresh, plan.rules);
    for (size_t i = 0; i < suspects.size(); ++i) {
        auto& result = results[suspects[i]];
        result.decision = decisions[i];
        result.confirmed = decisions[i].verdict == Verdict::worse;
    }
}

}  // namespace

void GatePlan::check(int64_t benchmarks) const {
    rules.check();
    const int64_t fewest = fewest_pairs(benchmarks, rules.alarm_rate);
    if (first < fewest)
        throw Error("gate", "first rounds",
                    fmt::format("at least {} for {} benchmarks at an alarm rate of {}", fewest, benchmarks,
                                rules.alarm_rate),
                    std::to_string(first));
    if (step < 1 || most < first)
        throw Error("gate", "rounds", "1 <= step and first <= most",
                    fmt::format("step {}, first {}, most {}", step, first, most));
    if (!(suspicion >= rules.alarm_rate && suspicion < 0.5))
        throw Error("gate", "suspicion", "at least the alarm rate and below 0.5",
                    fmt::format("{}", suspicion));
}

std::vector<GateResult> run_gate(size_t benchmarks, const GatePlan& plan, const MeasureRounds& measure) {
    plan.check(static_cast<int64_t>(benchmarks));
    std::vector<GateResult> results(benchmarks);
    std::vector<size_t> open(benchmarks);
    std::iota(open.begin(), open.end(), size_t{0});
    int64_t rounds = 0;
    while (!open.empty() && rounds < plan.most) {
        const int64_t more = std::min(rounds == 0 ? plan.first : plan.step, plan.most - rounds);
        add_rounds(results, &GateResult::search, open, more, GatePhase::search, measure);
        rounds += more;
        look(results, plan);
        std::erase_if(open, [&](size_t i) { return is_decided(results[i]); });
    }
    confirm(results, plan, measure);
    return results;
}

}  // namespace mtlprune::bench
