// Latencies of several subjects side by side, and what may be said of them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/kit/percentiles.h"
#include "bench/kit/subject.h"

namespace mtlprune {

struct LatencyOptions {
    int64_t warm_up_runs = 50;   ///< of every subject, at least
    double warm_up_seconds = 2;  ///< of every subject, at least
    double seconds = 60;         ///< of timed runs of every subject, at least
    int64_t runs = 100;          ///< of every subject, at least
    double most_seconds = 1e9;   ///< of everything; stops before the others are met
    uint64_t seed = 1;           ///< of the order within the rounds
};

/// Seconds of each run, in the order of the rounds; run i of all subjects was in the same round.
using Latencies = std::vector<double>;

/// Share of the work that is done, 0..1.
using OnProgress = std::function<void(double)>;

/// After the warm-up, in every round each subject runs once, in random order; what is timed is run() and
/// synchronise(), or what the subject itself says.
std::vector<Latencies> measure_latencies(const std::vector<Subject*>& subjects, const LatencyOptions& options,
                                         const OnProgress& on_progress = {});

struct LatencySummary {
    int64_t runs = 0;
    double total = 0;  ///< seconds of all runs
    double mean = 0, p50 = 0, p90 = 0, p99 = 0;
    double p90_bound = 0;  ///< upper bound of the 90th percentile with 99 % confidence; 0 with too few runs
    double spread = 0;     ///< (75th - 25th percentile) / median
    /// Why the numbers should not be used; empty when they may. Too short, too few runs
    /// for the 90th percentile, or too noisy (a spread above 15 %).
    std::string invalid;

    std::string status() const { return invalid.empty() ? "VALID" : "INVALID(" + invalid + ")"; }
};

/// How long the runs of everything that is reported take at least, by the rules of MLPerf.
constexpr double kLeastSeconds = 60;

/// Throws Error for no latencies.
LatencySummary summarise(const Latencies& latencies, double least_seconds = kLeastSeconds);

/// How many times faster `fast` is than `slow`: the median of the rounds' ratios, with an interval of at
/// least 95 %.
struct SpeedUp {
    double ratio;
    Interval interval;
};
SpeedUp speed_up(const Latencies& slow, const Latencies& fast);

}  // namespace mtlprune
