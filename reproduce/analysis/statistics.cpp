#include "reproduce/analysis/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"

namespace mtlprune {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

void require_size(std::span<const double> values, size_t least, const char* what) {
    if (values.size() < least)
        throw Error("statistics", what, fmt::format("at least {} values", least),
                    std::to_string(values.size()));
}

void require_margin(double margin) {
    if (!(margin > 0)) throw Error("statistics", "margin", "a positive number", fmt::format("{}", margin));
}

/// P(T > t) for Student's t.
double upper_tail(double t, double degrees_of_freedom) {
    if (std::isinf(t)) return t > 0 ? 0.0 : 1.0;
    return boost::math::cdf(boost::math::complement(boost::math::students_t(degrees_of_freedom), t));
}

double tail(double t, double degrees_of_freedom, Alternative alternative) {
    if (alternative == Alternative::greater) return upper_tail(t, degrees_of_freedom);
    if (alternative == Alternative::less) return upper_tail(-t, degrees_of_freedom);
    return std::min(1.0, 2 * upper_tail(std::fabs(t), degrees_of_freedom));
}

double t_statistic(double excess, double standard_error) {
    if (standard_error > 0) return excess / standard_error;
    if (excess == 0) return 0;
    return std::copysign(std::numeric_limits<double>::infinity(), excess);
}

/// Average ranks of |values|, doubled so that ties stay integers.
std::vector<int64_t> doubled_ranks(const std::vector<double>& values) {
    std::vector<size_t> order(values.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(),
              [&](size_t a, size_t b) { return std::fabs(values[a]) < std::fabs(values[b]); });
    std::vector<int64_t> ranks(values.size());
    for (size_t first = 0; first < order.size();) {
        size_t last = first;
        while (last + 1 < order.size() &&
               std::fabs(values[order[last + 1]]) == std::fabs(values[order[first]]))
            ++last;
        for (size_t i = first; i <= last; ++i) ranks[order[i]] = static_cast<int64_t>(first + last + 2);
        first = last + 1;
    }
    return ranks;
}

/// probability[w] that the positive doubled ranks sum to w when every sign is a fair coin.
std::vector<double> rank_sum_distribution(const std::vector<int64_t>& ranks) {
    std::vector<double> probability(
        static_cast<size_t>(std::accumulate(ranks.begin(), ranks.end(), int64_t{0})) + 1, 0.0);
    probability[0] = 1;
    for (const int64_t rank : ranks) {
        const size_t step = static_cast<size_t>(rank);
        for (size_t w = probability.size(); w-- > 0;)
            probability[w] = 0.5 * (probability[w] + (w >= step ? probability[w - step] : 0.0));
    }
    return probability;
}

}  // namespace

Summary summarize(std::span<const double> values) {
    require_size(values, 1, "sample");
    double sum = 0;
    for (const double value : values) {
        if (!std::isfinite(value))
            throw Error("statistics", "sample", "finite numbers", fmt::format("{}", value));
        sum += value;
    }
    const double mean = sum / static_cast<double>(values.size());
    double squares = 0;
    for (const double value : values) squares += (value - mean) * (value - mean);
    const bool spread = values.size() > 1;
    return {static_cast<int64_t>(values.size()), mean,
            spread ? std::sqrt(squares / static_cast<double>(values.size() - 1)) : kNaN};
}

std::vector<double> paired_differences(std::span<const double> a, std::span<const double> b) {
    if (a.size() != b.size())
        throw Error("statistics", "paired samples", "two of one length",
                    fmt::format("{} and {}", a.size(), b.size()));
    std::vector<double> differences(a.size());
    std::transform(a.begin(), a.end(), b.begin(), differences.begin(), std::minus<>());
    return differences;
}

TestResult t_test(std::span<const double> values, Alternative alternative, double reference) {
    require_size(values, 2, "t-test");
    const Summary sample = summarize(values);
    const double error = sample.sd / std::sqrt(static_cast<double>(sample.n));
    const double df = static_cast<double>(sample.n - 1);
    const double t = t_statistic(sample.mean - reference, error);
    return {sample.n, sample.mean, error, df, t, tail(t, df, alternative)};
}

TestResult welch_test(std::span<const double> a, std::span<const double> b, Alternative alternative) {
    require_size(a, 2, "Welch's test");
    require_size(b, 2, "Welch's test");
    const Summary first = summarize(a), second = summarize(b);
    const double va = first.sd * first.sd / static_cast<double>(first.n);
    const double vb = second.sd * second.sd / static_cast<double>(second.n);
    const double variance = va + vb;
    const double denominator =
        va * va / static_cast<double>(first.n - 1) + vb * vb / static_cast<double>(second.n - 1);
    const double df =
        denominator > 0 ? variance * variance / denominator : static_cast<double>(first.n + second.n - 2);
    const double difference = first.mean - second.mean;
    const double t = t_statistic(difference, std::sqrt(variance));
    return {first.n + second.n, difference, std::sqrt(variance), df, t, tail(t, df, alternative)};
}

TestResult equivalence_test(std::span<const double> differences, double margin) {
    require_margin(margin);
    const TestResult above = t_test(differences, Alternative::greater, -margin);
    const TestResult below = t_test(differences, Alternative::less, margin);
    return above.p > below.p ? above : below;
}

TestResult non_inferiority_test(std::span<const double> benefits, double margin) {
    require_margin(margin);
    return t_test(benefits, Alternative::greater, -margin);
}

Interval t_interval(std::span<const double> values, double confidence) {
    require_size(values, 2, "t interval");
    if (!(confidence > 0 && confidence < 1))
        throw Error("statistics", "confidence", "a number between 0 and 1", fmt::format("{}", confidence));
    const Summary sample = summarize(values);
    const boost::math::students_t distribution(static_cast<double>(sample.n - 1));
    const double t = boost::math::quantile(boost::math::complement(distribution, (1 - confidence) / 2));
    const double half = t * sample.sd / std::sqrt(static_cast<double>(sample.n));
    return {sample.mean - half, sample.mean + half};
}

double wilcoxon_signed_rank_p(std::span<const double> differences, Alternative alternative) {
    if (differences.size() > 200)
        throw Error("statistics", "signed-rank test", "at most 200 values",
                    std::to_string(differences.size()));
    std::vector<double> values;
    for (const double value : differences) {
        if (!std::isfinite(value))
            throw Error("statistics", "sample", "finite numbers", fmt::format("{}", value));
        if (value != 0) values.push_back(value);
    }
    if (values.empty()) return 1;
    const std::vector<int64_t> ranks = doubled_ranks(values);
    const std::vector<double> probability = rank_sum_distribution(ranks);
    size_t observed = 0;
    for (size_t i = 0; i < values.size(); ++i)
        if (values[i] > 0) observed += static_cast<size_t>(ranks[i]);
    const auto at = probability.begin() + static_cast<std::ptrdiff_t>(observed);
    const double less = std::min(1.0, std::accumulate(probability.begin(), at + 1, 0.0));
    const double greater = std::min(1.0, std::accumulate(at, probability.end(), 0.0));
    if (alternative == Alternative::less) return less;
    if (alternative == Alternative::greater) return greater;
    return std::min(1.0, 2 * std::min(less, greater));
}

std::vector<double> holm_adjusted(std::span<const double> p) {
    std::vector<size_t> order(p.size());
    std::iota(order.begin(), order.end(), size_t{0});
    for (const double value : p)
        if (!(value >= 0 && value <= 1))
            throw Error("statistics", "p value", "within [0, 1]", fmt::format("{}", value));
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] < p[b]; });
    std::vector<double> adjusted(p.size());
    double largest = 0;
    for (size_t i = 0; i < order.size(); ++i) {
        largest = std::max(largest, std::min(1.0, static_cast<double>(p.size() - i) * p[order[i]]));
        adjusted[order[i]] = largest;
    }
    return adjusted;
}

double cohen_dz(std::span<const double> differences) {
    const Summary sample = summarize(differences);
    return sample.n > 1 && sample.sd > 0 ? sample.mean / sample.sd : kNaN;
}

double hedges_factor(double degrees_of_freedom) {
    if (degrees_of_freedom < 2) return kNaN;
    return std::exp(std::lgamma(degrees_of_freedom / 2) - std::lgamma((degrees_of_freedom - 1) / 2)) /
           std::sqrt(degrees_of_freedom / 2);
}

}  // namespace mtlprune
