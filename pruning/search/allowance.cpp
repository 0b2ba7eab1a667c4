#include "pruning/search/allowance.h"

#include <fmt/format.h>

#include <cmath>

#include "base/error.h"

namespace mtlprune {

double allowance_growth(double rate, double factor, int64_t units) {
    if (!(rate > 0.0))
        throw Error("search pagcp", "rate of the first unit", "more than 0", fmt::format("{}", rate));
    if (!(1.0 + rate <= factor))
        throw Error("search pagcp", "global factor",
                    fmt::format("at least {} (1 + the rate of the first unit)", 1.0 + rate),
                    fmt::format("{}", factor));
    if (units < 2) return 1.0;
    const auto is_enough = [&](double x) {
        double sum = 0.0, power = 1.0;
        for (int64_t i = 0; i < units; ++i, power *= x) sum += std::log1p(rate * power);
        return sum >= std::log(factor);
    };
    double low = 0.0, high = 1.0;
    while (!is_enough(high)) {
        low = high;
        high *= 2.0;
    }
    // Until no number lies between them.
    while (true) {
        const double middle = low + (high - low) / 2.0;
        if (middle <= low || middle >= high) return high;
        (is_enough(middle) ? high : low) = middle;
    }
}

}  // namespace mtlprune
