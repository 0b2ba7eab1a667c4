#include "pruning/criteria/pfp/sample_draws.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace mtlprune {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr double kRounding = 1e-9;  ///< shares add up to 1 with that

/// The smallest whole number of at least `from` for which `enough` holds.
template <typename Enough>
double fewest(double from, const Enough& enough) {
    if (enough(from)) return from;
    double step = 1, low = from;
    while (!enough(low + step)) {
        low += step;
        step *= 2;
    }
    double high = low + step;
    while (high - low > 1) {
        const double middle = std::floor(low + (high - low) / 2);
        (enough(middle) ? high : low) = middle;
    }
    return high;
}

double binomial(double count, double share, const at::Generator& generator) {
    if (count <= 0 || share <= 0) return 0;
    if (share >= 1) return count;
    const auto number = [](double x) { return torch::full({}, x, torch::kDouble); };
    return at::binomial(number(count), number(share), generator).item<double>();
}

}  // namespace

std::vector<double> draw_shares(const std::vector<double>& sensitivities) {
    constexpr double kLeast = std::numeric_limits<float>::epsilon();
    const double sum = std::accumulate(sensitivities.begin(), sensitivities.end(), 0.0);
    std::vector<double> shares;
    for (const double s : sensitivities) shares.push_back(s > kLeast * sum ? s / sum : 0.0);
    return shares;
}

double draw_coefficient(double sensitivity_sum, double positions, double taps, double delta) {
    constexpr double kC = 3;
    return sensitivity_sum * 2 * kC * std::log(8 * (positions + 1) * taps / delta);
}

double draws_for(double error, double coefficient) {
    return std::max(1.0, std::ceil(3 * (6 + 2 * error) * coefficient / (error * error)));
}

double error_of(double draws, double coefficient) {
    const double least = draws > 1 ? draws - 1 : 0.5;
    return (3 * coefficient + std::sqrt(9 * coefficient * coefficient + 18 * coefficient * least)) / least;
}

double expected_distinct(const std::vector<double>& shares, double draws) {
    double sum = 0;
    for (const double q : shares)
        if (q > 0) sum -= std::expm1(draws * std::log1p(-std::min(q, 1.0)));
    return sum;
}

std::vector<double> draws_in_order(const std::vector<double>& shares) {
    std::vector<double> needed(shares.size(), kNever);
    double draws = 1;
    for (size_t j = 0; j < shares.size() && shares[j] > 0; ++j) {
        const double others = static_cast<double>(j) + kRounding;
        draws = fewest(draws, [&](double m) { return expected_distinct(shares, m) > others; });
        needed[j] = draws;
    }
    return needed;
}

std::vector<double> first_draws(const std::vector<double>& shares, Random random) {
    std::vector<double> first(shares.size(), kNever);
    std::vector<size_t> unseen;
    for (size_t j = 0; j < shares.size(); ++j)
        if (shares[j] > 0) unseen.push_back(j);
    double draw = 0;
    while (!unseen.empty()) {
        double left = 0;
        for (const size_t j : unseen) left += shares[j];
        const double wait = std::log1p(-random.uniform()) / std::log1p(-std::min(left, 1.0));
        draw += draw == 0 ? 1 : 1 + std::floor(wait);
        double place = random.uniform() * left;
        size_t chosen = 0;
        while (chosen + 1 < unseen.size() && place >= shares[unseen[chosen]])
            place -= shares[unseen[chosen++]];
        first[unseen[chosen]] = draw;
        unseen.erase(unseen.begin() + static_cast<std::ptrdiff_t>(chosen));
    }
    return first;
}

std::vector<double> draw_counts(const std::vector<double>& shares, const std::vector<double>& first_draws,
                                double draws, uint64_t key) {
    std::vector<size_t> seen;
    for (size_t j = 0; j < shares.size(); ++j)
        if (first_draws[j] <= draws) seen.push_back(j);
    std::sort(seen.begin(), seen.end(), [&](size_t a, size_t b) { return first_draws[a] < first_draws[b]; });
    double known = 0;
    for (const size_t j : seen) known += shares[j];
    const auto generator = at::detail::createCPUGenerator(key);
    std::vector<double> counts(shares.size(), 0.0);
    double open = 0, until = draws + 1;  // draws that fall on channels up to this one, and where they end
    for (size_t i = seen.size(); i-- > 0;) {
        const size_t j = seen[i];
        open += until - first_draws[j] - 1;
        until = first_draws[j];
        const double more = i == 0 ? open : binomial(open, std::min(1.0, shares[j] / known), generator);
        counts[j] = 1 + more;
        open -= more;
        known -= shares[j];
    }
    return counts;
}

}  // namespace mtlprune
