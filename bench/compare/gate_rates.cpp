#include "bench/compare/gate_rates.h"

#include <fmt/format.h>

#include <boost/math/distributions/beta.hpp>
#include <cmath>
#include <functional>

#include "base/error.h"
#include "base/progress.h"
#include "base/random.h"

namespace mtlprune::bench {
namespace {

/// One gate on the rounds from `first` on: `variant_of` says what stands for the new side of a benchmark.
class CutGate {
  public:
    CutGate(const Recording& recording, size_t first, std::function<size_t(size_t)> variant_of)
        : recording_(recording), next_(first), variant_of_(std::move(variant_of)) {}

    std::vector<LogRatios> operator()(const std::vector<size_t>& which, int64_t rounds, GatePhase) {
        std::vector<LogRatios> ratios(which.size());
        for (int64_t i = 0; i < rounds; ++i) {
            const auto& round = recording_.rounds.at(next_++);
            for (size_t k = 0; k < which.size(); ++k) {
                const size_t b = which[k];
                const double ratio = std::log(round[variant_of_(b)][b] / round[Recording::kPlain][b]);
                ratios[k].push_back(recording_.higher_is_better[b] ? -ratio : ratio);
            }
        }
        return ratios;
    }
    size_t next() const { return next_; }

  private:
    const Recording& recording_;
    size_t next_;
    std::function<size_t(size_t)> variant_of_;
};

std::vector<GateResult> cut_gate(const Recording& recording, const GatePlan& plan, size_t first,
                                 std::function<size_t(size_t)> variant_of, size_t* used = nullptr) {
    CutGate gate(recording, first, std::move(variant_of));
    auto results = run_gate(recording.benchmarks.size(), plan, std::ref(gate));
    if (used != nullptr) *used += gate.next() - first;
    return results;
}

/// Whether a gate finds `benchmark` when it alone is slower.
bool finds(const Recording& recording, const GatePlan& plan, size_t first, size_t benchmark, size_t variant) {
    const auto results = cut_gate(recording, plan, first, [=](size_t b) -> size_t {
        return b == benchmark ? variant : static_cast<size_t>(Recording::kAgain);
    });
    return results[benchmark].confirmed;
}

bool has_alarm(const std::vector<GateResult>& results) {
    bool alarm = false;
    for (const auto& result : results) alarm |= result.confirmed;
    return alarm;
}

std::string proportion_text(const Proportion& p) {
    return fmt::format("{:5.1f} % ({:.1f} to {:.1f} %)", 100 * p.rate, 100 * p.low, 100 * p.high);
}

}  // namespace

Proportion proportion(int64_t count, int64_t of) {
    Proportion result{count, of, static_cast<double>(count) / static_cast<double>(of)};
    const auto k = static_cast<double>(count), n = static_cast<double>(of);
    using Beta = boost::math::beta_distribution<double>;
    if (count > 0) result.low = boost::math::quantile(Beta(k, n - k + 1), 0.025);
    if (count < of) result.high = boost::math::quantile(Beta(k + 1, n - k), 0.975);
    return result;
}

GateRates cut_gates(const Recording& recording, const GatePlan& plan, int64_t pieces, uint64_t seed) {
    const auto longest = static_cast<size_t>(2 * plan.most);
    if (recording.rounds.size() < longest)
        throw Error("recording", "rounds", fmt::format("at least {}, one gate", longest),
                    std::to_string(recording.rounds.size()));
    const size_t places = recording.rounds.size() - longest + 1, benchmarks = recording.benchmarks.size();
    std::vector<int64_t> found_3(benchmarks), found_5(benchmarks);
    int64_t alarms = 0;
    size_t used = 0;
    Progress progress;
    for (int64_t piece = 0; piece < pieces; ++piece) {
        const size_t first = Random(seed, Stream::method, static_cast<uint64_t>(piece)).below(places);
        alarms += has_alarm(cut_gate(
            recording, plan, first, [](size_t) -> size_t { return Recording::kAgain; }, &used));
        for (size_t b = 0; b < benchmarks; ++b) {
            found_3[b] += finds(recording, plan, first, b, Recording::kPlanted3);
            found_5[b] += finds(recording, plan, first, b, Recording::kPlanted5);
        }
        progress.update({static_cast<double>(piece + 1) / static_cast<double>(pieces)},
                        fmt::format("gate {} of {}", piece + 1, pieces));
    }
    GateRates rates;
    rates.alarms = proportion(alarms, pieces);
    rates.mean_rounds = static_cast<double>(used) / static_cast<double>(pieces);
    rates.disjoint = static_cast<int64_t>(recording.rounds.size() / longest);
    for (size_t b = 0; b < benchmarks; ++b)
        rates.found.push_back(
            {recording.benchmarks[b], proportion(found_3[b], pieces), proportion(found_5[b], pieces)});
    return rates;
}

std::string rates_text(const GateRates& rates) {
    auto text = fmt::format("{} gates of {:.1f} rounds on average ({} fit side by side); 95 % intervals\n",
                            rates.alarms.of, rates.mean_rounds, rates.disjoint);
    text += fmt::format("false alarms   {}\n", proportion_text(rates.alarms));
    for (const auto& found : rates.found)
        text += fmt::format("3 % found {}   5 % found {}   {}\n", proportion_text(found.planted_3),
                            proportion_text(found.planted_5), found.benchmark);
    return text;
}

}  // namespace mtlprune::bench
