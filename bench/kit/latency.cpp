#include "bench/kit/latency.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <numeric>

#include "base/error.h"
#include "base/random.h"

namespace mtlprune {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kMostSpread = 0.15;
constexpr double kPercentile = 0.9;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

double timed_run(Subject& subject) {
    subject.synchronise();
    const auto start = Clock::now();
    subject.run();
    subject.synchronise();
    const double seconds = seconds_since(start);
    return subject.own_seconds().value_or(seconds);
}

void warm_up(Subject& subject, const LatencyOptions& options) {
    const auto start = Clock::now();
    for (int64_t run = 0; run < options.warm_up_runs || seconds_since(start) < options.warm_up_seconds; ++run)
        timed_run(subject);
}

void shuffle(std::vector<size_t>& order, Random& random) {
    for (size_t i = order.size(); i > 1; --i) {
        const auto other = static_cast<size_t>(random.uniform() * static_cast<double>(i));
        std::swap(order[i - 1], order[other]);
    }
}

}  // namespace

std::vector<Latencies> measure_latencies(const std::vector<Subject*>& subjects, const LatencyOptions& options,
                                         const OnProgress& on_progress) {
    const auto start = Clock::now();
    for (auto* subject : subjects) warm_up(*subject, options);
    std::vector<Latencies> all(subjects.size());
    std::vector<double> totals(subjects.size(), 0.0);
    std::vector<size_t> order(subjects.size());
    std::iota(order.begin(), order.end(), size_t{0});
    Random random(options.seed);
    const auto done = [&] {
        const double least = *std::min_element(totals.begin(), totals.end());
        const auto runs = static_cast<double>(all.front().size());
        const double by_time = options.seconds > 0 ? least / options.seconds : 1;
        const double by_runs = options.runs > 0 ? runs / static_cast<double>(options.runs) : 1;
        return std::max(std::min(by_time, by_runs), seconds_since(start) / options.most_seconds);
    };
    do {
        shuffle(order, random);
        for (const size_t i : order) {
            all[i].push_back(timed_run(*subjects[i]));
            totals[i] += all[i].back();
        }
        if (on_progress) on_progress(std::min(done(), 1.0));
    } while (done() < 1);
    return all;
}

LatencySummary summarise(const Latencies& latencies, double least_seconds) {
    if (latencies.empty()) throw Error("latencies", "runs", "at least one", "none");
    auto ascending = latencies;
    std::sort(ascending.begin(), ascending.end());
    LatencySummary summary;
    summary.runs = static_cast<int64_t>(ascending.size());
    summary.total = std::accumulate(ascending.begin(), ascending.end(), 0.0);
    summary.mean = summary.total / static_cast<double>(summary.runs);
    summary.p50 = percentile(ascending, 0.5);
    summary.p90 = percentile(ascending, 0.9);
    summary.p99 = percentile(ascending, 0.99);
    summary.spread = (percentile(ascending, 0.75) - percentile(ascending, 0.25)) / summary.p50;
    const auto bound = percentile_bound(ascending, kPercentile);
    summary.p90_bound = bound.value_or(0);
    if (summary.total < least_seconds)
        summary.invalid = fmt::format("{:.1f} s of runs, {:.0f} are needed", summary.total, least_seconds);
    else if (!bound)
        summary.invalid = fmt::format("{} runs, {} are needed", summary.runs, runs_needed(kPercentile, 1));
    else if (summary.spread > kMostSpread)
        summary.invalid = fmt::format(
            "the middle half of the runs spreads over {:.0f} % of the median, at most "
            "{:.0f} are allowed",
            100 * summary.spread, 100 * kMostSpread);
    return summary;
}

SpeedUp speed_up(const Latencies& slow, const Latencies& fast) {
    if (slow.size() != fast.size() || slow.empty())
        throw Error("speed-up", "runs", "as many of one as of the other",
                    fmt::format("{} and {}", slow.size(), fast.size()));
    std::vector<double> ratios(slow.size());
    for (size_t i = 0; i < ratios.size(); ++i) ratios[i] = slow[i] / fast[i];
    const auto interval = median_interval(ratios);
    std::sort(ratios.begin(), ratios.end());
    return {percentile(ratios, 0.5), interval};
}

}  // namespace mtlprune
