// From paired differences to a verdict. A claim is never called true because a test failed to reject.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "reproduce/analysis/statistics.h"
#include "training/metrics.h"

namespace mtlprune {

enum class Verdict { supported, refuted, not_decided };

/// "supported", "refuted", "not decided".
std::string verdict_label(Verdict verdict);

/// "supported", "refuted", "undecided": the CSS class of the report.
std::string verdict_class(Verdict verdict);

/// What a claim asserts about the mean difference.
enum class Assertion {
    equivalent,  ///< within (-margin, margin)
    better,      ///< on the better side of zero
    not_worse    ///< on the better side of -margin
};

/// One metric's differences (first minus second, in the metric's stored unit), one per seed.
struct TaskDifferences {
    MetricInfo metric;
    std::vector<double> values;
    double margin = std::numeric_limits<double>::quiet_NaN();  ///< stored unit; unused by Assertion::better
};

/// What one metric says about a claim. Numbers that do not exist (n < 2, no spread) are NaN.
struct TaskFinding {
    MetricInfo metric;
    int64_t n = 0;
    double difference = 0;  ///< mean of first minus second, stored unit
    double sd = 0;
    Interval interval;  ///< t interval of the difference, confidence 1 - 2 alpha: matches the one-sided tests
                        ///< at alpha
    double d_z = 0;     ///< Cohen's d_z of the differences
    double hedges_g = 0;  ///< d_z with Hedges' small-sample factor
    double margin = 0;
    double p = 1;               ///< of the test whose rejection supports the claim
    double p_holm = 1;          ///< adjusted over the tasks
    double p_against = 1;       ///< of the test whose rejection refutes it
    double p_against_holm = 1;  ///< adjusted over the tasks
    double wilcoxon_p = 1;      ///< as `p`, by the exact signed-rank test (a check, not used for the verdict)
    std::string reading;        ///< one plain sentence
};

/// One finding without adjustment (p_holm = p_against_holm = NaN).
/// Support: equivalence_test; one-sided t-test for better; non_inferiority_test for not_worse.
/// Against: for equivalent, twice the smaller p of the two one-sided tests that the mean lies beyond a
/// margin; for better, the opposite one-sided test; for not_worse, the one-sided test that the mean is worse
/// than -margin. Fewer than two differences, or differences without spread (then seeds are not independent),
/// leave p at 1.
TaskFinding find_for_task(const TaskDifferences& differences, Assertion assertion, double alpha);

/// Fills the Holm-adjusted p values over the findings and words their readings by them.
void adjust_over_tasks(std::vector<TaskFinding>& findings, Assertion assertion, double alpha);

/// supported: every p_holm < alpha; refuted: any p_against_holm < alpha; else not decided.
Verdict decide(const std::vector<TaskFinding>& findings, double alpha);

/// "+1.2 percentage points": a stored difference as displayed.
std::string show_difference(const MetricInfo& metric, double difference);

}  // namespace mtlprune
