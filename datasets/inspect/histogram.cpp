#include "datasets/inspect/histogram.h"

#include <cmath>
#include <limits>
#include <numeric>

namespace mtlprune {

Histogram::Histogram(double low, double high, int64_t bins, bool logarithmic)
    : start_(logarithmic ? std::log(low) : low),
      step_(((logarithmic ? std::log(high) : high) - start_) / static_cast<double>(bins)),
      logarithmic_(logarithmic),
      counts_(static_cast<size_t>(bins), 0) {}

void Histogram::add(double value) {
    const double bin = std::floor(((logarithmic_ ? std::log(value) : value) - start_) / step_);
    if (bin < 0)
        ++below_;
    else if (!(bin < static_cast<double>(counts_.size())))
        ++above_;
    else
        ++counts_[static_cast<size_t>(bin)];
}

void Histogram::merge(const Histogram& other) {
    for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    below_ += other.below_;
    above_ += other.above_;
}

int64_t Histogram::total() const {
    return std::accumulate(counts_.begin(), counts_.end(), below_ + above_);
}

double Histogram::edge(size_t bin) const {
    const double position = start_ + step_ * static_cast<double>(bin);
    return logarithmic_ ? std::exp(position) : position;
}

double Histogram::quantile(double share) const {
    const int64_t all = total();
    if (all == 0) return std::numeric_limits<double>::quiet_NaN();
    const double rank = share * static_cast<double>(all);
    auto seen = static_cast<double>(below_);
    if (below_ > 0 && rank <= seen) return edge(0);
    for (size_t i = 0; i < counts_.size(); ++i) {
        const auto count = static_cast<double>(counts_[i]);
        if (count > 0 && rank <= seen + count)
            return edge(i) + (edge(i + 1) - edge(i)) * (rank - seen) / count;
        seen += count;
    }
    return edge(counts_.size());
}

}  // namespace mtlprune
