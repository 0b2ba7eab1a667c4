// Classical tests on small samples, in double precision. Paired tests take the differences, one per
// independent unit.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace mtlprune {

struct Summary {
    int64_t n = 0;
    double mean = 0;
    double sd = 0;  ///< sample standard deviation (divisor n - 1); NaN when n < 2
};

/// Two-pass mean and standard deviation. Throws Error on no values or a value that is not finite.
Summary summarize(std::span<const double> values);

/// a[i] - b[i]; throws Error when the lengths differ.
std::vector<double> paired_differences(std::span<const double> a, std::span<const double> b);

enum class Alternative {
    two_sided,  ///< the mean differs from the reference
    greater,    ///< the mean is greater than the reference
    less        ///< the mean is less than the reference
};

struct TestResult {
    int64_t n = 0;
    double estimate = 0;  ///< mean (or difference of means)
    double standard_error = 0;
    double degrees_of_freedom = 0;
    double statistic = 0;  ///< t; infinite when all values are equal and differ from the reference
    double p = 1;
};

/// Student's one-sample t-test of the mean against `reference`; on differences it is the paired t-test.
/// With zero spread p is 0 or 1 (one-sided: 0.5 at equality). Throws Error when n < 2.
TestResult t_test(std::span<const double> values, Alternative alternative, double reference = 0);

/// Welch's t-test of mean(a) - mean(b) with the Welch-Satterthwaite degrees of freedom. Throws Error when
/// either has fewer than 2 values.
TestResult welch_test(std::span<const double> a, std::span<const double> b, Alternative alternative);

/// Two one-sided tests (Schuirmann 1987): small p means that the mean lies within (-margin, margin). p is the
/// larger of the two one-sided p values and `statistic` the t that belongs to it. Throws Error unless margin
/// > 0.
TestResult equivalence_test(std::span<const double> differences, double margin);

/// Non-inferiority: small p means that the mean of `benefits` (positive = better) is above -margin.
TestResult non_inferiority_test(std::span<const double> benefits, double margin);

struct Interval {
    double low = 0;
    double high = 0;
};

/// Two-sided t interval of the mean, e.g. confidence 0.9.
Interval t_interval(std::span<const double> values, double confidence);

/// Wilcoxon's signed-rank test with its exact distribution (also under ties, which get average ranks; zeros
/// are dropped). two_sided doubles the smaller tail. Returns 1 when every value is zero. Throws Error when n
/// > 200.
double wilcoxon_signed_rank_p(std::span<const double> differences, Alternative alternative);

/// Holm's step-down adjusted p values, in the order given. Throws Error on a p outside [0, 1].
std::vector<double> holm_adjusted(std::span<const double> p);

/// Cohen's d_z: mean over standard deviation of the differences; NaN when n < 2 or without spread.
double cohen_dz(std::span<const double> differences);

/// Hedges' exact small-sample factor for `degrees_of_freedom` = n - 1; NaN below 2, where it does not exist.
double hedges_factor(double degrees_of_freedom);

}  // namespace mtlprune
