#include "bench/compare/decision.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "bench/compare/walsh_averages.h"

namespace mtlprune::bench {
namespace {

/// The rate at which each benchmark is looked at. A benchmark is rejected if its p is at most its rate.
std::vector<double> holm_rates(const std::vector<double>& p, double rate) {
    std::vector<size_t> order(p.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] < p[b]; });
    std::vector<double> rates(p.size());
    size_t left = p.size();
    for (const size_t i : order) {
        rates[i] = rate / static_cast<double>(left);
        if (p[i] <= rates[i]) --left;
    }
    return rates;
}

Verdict verdict_of(double low, double high, const DecisionRules& rules) {
    const double tolerance = std::log1p(rules.tolerance), margin = std::log1p(rules.margin);
    if (low > tolerance) return Verdict::worse;
    if (high < -tolerance) return Verdict::better;
    return low > -margin && high < margin ? Verdict::same : Verdict::need_more_data;
}

}  // namespace

void DecisionRules::check() const {
    if (!(tolerance >= 0 && tolerance < margin && margin < 1))
        throw Error("rules", "tolerance and margin", "0 <= tolerance < margin < 1",
                    fmt::format("{} and {}", tolerance, margin));
    if (!(alarm_rate > 0 && alarm_rate < 0.5))
        throw Error("rules", "alarm rate", "a number between 0 and 0.5", fmt::format("{}", alarm_rate));
}

std::string verdict_text(Verdict verdict) {
    switch (verdict) {
        case Verdict::same:
            return "same";
        case Verdict::worse:
            return "different: worse";
        case Verdict::better:
            return "different: better";
        case Verdict::need_more_data:
            break;
    }
    return "need more data";
}

std::vector<Decision> decide(const std::vector<LogRatios>& benchmarks, const DecisionRules& rules) {
    std::vector<WalshAverages> averages;
    std::vector<double> p_worse, p_better;
    const double tolerance = std::log1p(rules.tolerance);
    for (const auto& values : benchmarks) {
        const auto& of = averages.emplace_back(values);
        p_worse.push_back(of.p_above(tolerance));
        p_better.push_back(of.p_below(-tolerance));
    }
    const auto worse = holm_rates(p_worse, rules.alarm_rate), better = holm_rates(p_better, rules.alarm_rate);
    std::vector<Decision> decisions;
    for (size_t i = 0; i < benchmarks.size(); ++i) {
        const double low = averages[i].lower(worse[i]), high = averages[i].upper(better[i]);
        decisions.push_back({static_cast<int64_t>(benchmarks[i].size()), std::exp(averages[i].estimate()),
                             std::exp(low), std::exp(high), verdict_of(low, high, rules)});
    }
    return decisions;
}

}  // namespace mtlprune::bench
