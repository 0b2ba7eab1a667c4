// Counts of values in equal steps, linear or logarithmic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mtlprune {

class Histogram {
  public:
    Histogram() = default;
    /// `bins` steps from `low` to `high`, equal in the value or, when `logarithmic` (low > 0), in its
    /// logarithm.
    Histogram(double low, double high, int64_t bins, bool logarithmic = false);

    void add(double value);
    /// Adds the counts of a histogram of the same steps.
    void merge(const Histogram& other);

    const std::vector<int64_t>& counts() const { return counts_; }
    int64_t below() const { return below_; }  ///< values < low
    int64_t above() const { return above_; }  ///< values >= high
    int64_t total() const;
    /// Where bin `bin` begins; edge(counts().size()) is high.
    double edge(size_t bin) const;
    /// The value that a share `share` (0..1) of all values do not exceed, interpolated inside its bin; NaN
    /// when there are no values. Values outside the steps count as low or high.
    double quantile(double share) const;

  private:
    double start_ = 0, step_ = 1;  // in the value or its logarithm
    bool logarithmic_ = false;
    std::vector<int64_t> counts_;
    int64_t below_ = 0, above_ = 0;
};

}  // namespace mtlprune
