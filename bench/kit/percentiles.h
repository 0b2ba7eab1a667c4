// Percentiles of latencies and how many runs they take, as MLPerf's load generator has them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace mtlprune {

/// Of values in ascending order: the one at index floor(n p), counted from 0; `p` in [0, 1).
double percentile(const std::vector<double>& ascending, double p);

/// The least number of runs of which at most `above` may lie above the percentile for it to be known with
/// 99 % confidence: 64 for p = 0.9 and 1, 662 for p = 0.99 and 1.
int64_t runs_needed(double p, int64_t above);

/// An upper bound of the percentile with 99 % confidence: of the largest values, the one behind as many as
/// runs_needed() allows to be above. Nothing when there are too few runs even for one.
std::optional<double> percentile_bound(const std::vector<double>& ascending, double p);

/// An interval of the median with at least 95 % confidence from the order of the values alone; the smallest
/// and the largest for fewer than six. Throws Error for none.
struct Interval {
    double low, high;
};
Interval median_interval(std::vector<double> values);

}  // namespace mtlprune
