// Exact intervals of a centre from few values: Wilcoxon's signed-rank test turned round.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace mtlprune::bench {

inline constexpr int64_t kMostPairs = 1000;

/// Means of all pairs of `values`, each value with itself among them. If every value is as likely to lie d
/// above the centre as d below it, whatever the others do, the number of them above the centre has the
/// distribution of Wilcoxon's signed-rank statistic, known exactly for every n (Hodges and Lehmann 1963;
/// Tukey 1949 for the interval). Log ratios of pairs whose order was drawn at random are such values when
/// both sides are the same program: the draw alone makes them symmetric, however much they drift, jump
/// between two states or follow each other. A few wild values move the interval little.
class WalshAverages {
  public:
    /// `values`: 1 to kMostPairs, finite.
    explicit WalshAverages(std::span<const double> values);

    /// The median of the averages (the Hodges-Lehmann estimate).
    double estimate() const;
    /// The largest number that the centre falls below with probability `rate` or less; minus infinity where
    /// there are too few values to say.
    double lower(double rate) const;
    /// The smallest number that the centre lies above with probability `rate` or less; else plus infinity.
    double upper(double rate) const;
    /// Exact one-sided p value of "the centre is not above `bound`": small when it is above.
    double p_above(double bound) const;
    /// Exact one-sided p value of "the centre is not below `bound`".
    double p_below(double bound) const;

  private:
    /// The most averages on the wrong side of the centre that have probability `rate` or less together with
    /// all smaller numbers; -1 if none has.
    int64_t most_outside(double rate) const;

    std::vector<double> averages_;    ///< sorted
    std::vector<double> cumulative_;  ///< [k] = P(at most k averages lie below the centre)
};

/// The fewest pairs for which one of `benchmarks` can be told apart when all of them together may give a
/// false alarm with probability `rate`.
int64_t fewest_pairs(int64_t benchmarks, double rate);

}  // namespace mtlprune::bench
