#include "bench/kit/percentiles.h"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <cmath>

#include "base/error.h"

namespace mtlprune {
namespace {

constexpr double kDoubt = 0.01;

/// P(Bin(n, p) >= k).
double at_least(int64_t n, double p, int64_t k) {
    if (k <= 0) return 1;
    const boost::math::binomial_distribution<double> binomial(static_cast<double>(n), p);
    return boost::math::cdf(boost::math::complement(binomial, static_cast<double>(k - 1)));
}

}  // namespace

double percentile(const std::vector<double>& ascending, double p) {
    const auto index = static_cast<size_t>(static_cast<double>(ascending.size()) * p);
    return ascending.at(std::min(index, ascending.size() - 1));
}

int64_t runs_needed(double p, int64_t above) {
    // P falls with `below`: doubled until it is small enough, then bisected.
    int64_t low = 0, high = 1;
    const auto is_enough = [&](int64_t below) { return at_least(below + above, p, below) <= kDoubt; };
    while (!is_enough(high)) {
        low = high;
        high *= 2;
    }
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        (is_enough(middle) ? high : low) = middle;
    }
    return high + above;
}

std::optional<double> percentile_bound(const std::vector<double>& ascending, double p) {
    const auto count = static_cast<int64_t>(ascending.size());
    int64_t above = 0;
    while (runs_needed(p, above + 1) <= count) ++above;
    if (above == 0) return std::nullopt;
    return ascending[static_cast<size_t>(count - above)];
}

Interval median_interval(std::vector<double> values) {
    if (values.empty()) throw Error("median_interval", "values", "at least one", "none");
    std::sort(values.begin(), values.end());
    const auto count = static_cast<int64_t>(values.size());
    int64_t outside = 0;  // values beyond each end of the interval
    while (2 * (outside + 1) < count && 1 - at_least(count, 0.5, outside + 2) <= 0.025) ++outside;
    return {values[static_cast<size_t>(outside)], values[static_cast<size_t>(count - 1 - outside)]};
}

}  // namespace mtlprune
