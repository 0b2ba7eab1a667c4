// Two sets of benchmark results side by side: a decision per benchmark.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/compare/benchmark_file.h"
#include "bench/compare/decision.h"

namespace mtlprune::bench {

struct Metric {
    std::string name = "real_time";  ///< or cpu_time (both in ns) or a counter
    bool higher_is_better = false;
};

/// A counter that must not change: an accuracy, a number of channels.
struct CounterRule {
    std::string name;
    double within = 0;  ///< relative; 0: exactly
};

struct ComparisonOptions {
    Metric metric;
    DecisionRules rules;
    std::vector<CounterRule> counters;
    bool force = false;  ///< compare what was measured under different conditions
};

struct ComparisonRow {
    std::string name;
    Metric metric;
    double base = 0, now = 0;          ///< medians of the metric
    std::optional<Decision> decision;  ///< none where the new side failed; ratios are of costs (> 1: worse)
    std::vector<std::string> broken;   ///< counters that changed, and errors of the new side
    std::string remark;                ///< for readers

    bool fails() const {
        return !broken.empty() || (decision.has_value() && decision->verdict == Verdict::worse);
    }
};

struct Comparison {
    DecisionRules rules;
    std::vector<ComparisonRow> rows;
    std::vector<std::string> notes;  ///< benchmarks of one side, errors of the base, forced differences

    bool fails() const;
    /// "1 of 4 benchmarks is worse (3 same)".
    std::string summary() const;
};

/// Repetition i of a benchmark in base[k] and in now[k] are a pair. Throws Error on: different numbers of
/// files or repetitions; fewer pairs than a decision needs (with how many it needs); no benchmark on both
/// sides; a metric that is missing, not finite or not positive; a counter of a rule that no benchmark has;
/// different conditions, all of them named, unless forced.
Comparison compare(const std::vector<BenchmarkFile>& base, const std::vector<BenchmarkFile>& now,
                   const ComparisonOptions& options);

/// Median; the mean of the two middle ones for an even number. At least one value.
double median(std::vector<double> values);

}  // namespace mtlprune::bench
