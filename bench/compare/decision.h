// Same, different or need more data: what the pairs of a suite of benchmarks say.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mtlprune::bench {

/// Rules, set before anything is measured. Sizes are relative: 0.05 is 5 %.
struct DecisionRules {
    double margin = 0.05;      ///< "same": the interval lies within 1 / 1.05 to 1.05
    double tolerance = 0.01;   ///< "different": the interval excludes all ratios closer to 1 than this
    double alarm_rate = 0.02;  ///< of a suite in which nothing is slower by more than the tolerance

    /// Throws Error unless 0 <= tolerance < margin < 1 and 0 < alarm_rate < 0.5.
    void check() const;
};

enum class Verdict { same, worse, better, need_more_data };
/// "same", "different: worse", "different: better", "need more data".
std::string verdict_text(Verdict verdict);

struct Decision {
    int64_t pairs = 0;
    double ratio = 1;          ///< new / base, Hodges-Lehmann estimate over pairs; above 1 is worse
    double low = 1, high = 1;  ///< its interval at the rate that Holm's procedure leaves this benchmark
    Verdict verdict = Verdict::need_more_data;

    bool operator==(const Decision&) const = default;
};

/// One value per pair: log(new / base) of a cost.
using LogRatios = std::vector<double>;

/// One decision per benchmark. Holm's step-down procedure (1979), once for "worse" and once for "better",
/// keeps each kind of false alarm of the whole suite at the alarm rate; a benchmark is different exactly if
/// the interval shown for it excludes the tolerance.
std::vector<Decision> decide(const std::vector<LogRatios>& benchmarks, const DecisionRules& rules);

}  // namespace mtlprune::bench
