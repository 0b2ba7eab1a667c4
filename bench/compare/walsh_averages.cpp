#include "bench/compare/walsh_averages.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace mtlprune::bench {
namespace {

/// Of the sum of the ranks 1..n, each taken with probability one half.
std::vector<double> signed_rank_distribution(size_t n) {
    std::vector<double> probability(n * (n + 1) / 2 + 1);
    probability[0] = 1;
    size_t largest = 0;
    for (size_t rank = 1; rank <= n; ++rank) {
        largest += rank;
        for (size_t sum = largest + 1; sum-- > 0;)
            probability[sum] = 0.5 * (probability[sum] + (sum >= rank ? probability[sum - rank] : 0));
    }
    for (size_t sum = 1; sum < probability.size(); ++sum) probability[sum] += probability[sum - 1];
    return probability;
}

}  // namespace

WalshAverages::WalshAverages(std::span<const double> values) {
    if (values.empty() || values.size() > static_cast<size_t>(kMostPairs))
        throw Error("comparison", "pairs", fmt::format("1 to {}", kMostPairs), std::to_string(values.size()));
    cumulative_ = signed_rank_distribution(values.size());
    averages_.reserve(cumulative_.size());
    for (size_t i = 0; i < values.size(); ++i)
        for (size_t j = i; j < values.size(); ++j) averages_.push_back(0.5 * (values[i] + values[j]));
    std::sort(averages_.begin(), averages_.end());
}

double WalshAverages::estimate() const {
    const size_t n = averages_.size();
    return 0.5 * (averages_[(n - 1) / 2] + averages_[n / 2]);
}

int64_t WalshAverages::most_outside(double rate) const {
    return std::upper_bound(cumulative_.begin(), cumulative_.end(), rate) - cumulative_.begin() - 1;
}

double WalshAverages::lower(double rate) const {
    const int64_t outside = most_outside(rate);
    return outside < 0 ? -std::numeric_limits<double>::infinity() : averages_.at(outside);
}

double WalshAverages::upper(double rate) const {
    const int64_t outside = most_outside(rate);
    return outside < 0 ? std::numeric_limits<double>::infinity()
                       : averages_.at(averages_.size() - 1 - outside);
}

double WalshAverages::p_above(double bound) const {
    return cumulative_[std::upper_bound(averages_.begin(), averages_.end(), bound) - averages_.begin()];
}

double WalshAverages::p_below(double bound) const {
    return cumulative_[averages_.end() - std::lower_bound(averages_.begin(), averages_.end(), bound)];
}

int64_t fewest_pairs(int64_t benchmarks, double rate) {
    int64_t pairs = 1;
    while (std::ldexp(1.0, static_cast<int>(-pairs)) > rate / static_cast<double>(benchmarks)) ++pairs;
    return pairs;
}

}  // namespace mtlprune::bench
