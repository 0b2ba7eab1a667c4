// What the judgements of the claims share: the tables, the compared pair and the way from rows to a verdict.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "reproduce/analysis/claims.h"

namespace mtlprune {

struct ClaimSetting {
    const ResultTables& tables;
    ClaimMargins margins;
    double alpha = 0.05;
    std::string first = "cosprune";  ///< differences between criteria are first minus second
    std::string second = "taylor";
};

Claim judge_equivalence(const ClaimSetting& setting);        ///< C1
Claim judge_retraining(const ClaimSetting& setting);         ///< C2
Claim judge_iterative_pruning(const ClaimSetting& setting);  ///< C3

/// Measurements by (criterion, seed, key), where the key is the configuration or the event.
class MeasurementIndex {
  public:
    MeasurementIndex(const std::vector<Measurement>& rows, int64_t Measurement::*key);
    /// Null when there is no such row.
    const Measurement* find(const std::string& criterion, int64_t seed, int64_t key) const;

  private:
    std::map<std::tuple<std::string, int64_t, int64_t>, const Measurement*> rows_;
};

/// A seed's difference in one metric, or nothing when the seed lacks a row.
using SeedDifference = std::function<std::optional<double>(int64_t seed, const std::string& metric)>;

/// The metric's value; throws Error naming the network unless it is finite.
double finite_value(const Measurement& row, const std::string& metric);

std::set<int64_t> seeds_of(const std::vector<Measurement>& rows);

/// Configurations that both criteria were re-trained at.
std::set<int64_t> retrained_configurations(const ClaimSetting& setting);

/// The networks of both criteria that were re-trained at these configurations.
std::vector<const Measurement*> retrained_at(const ClaimSetting& setting,
                                             const std::set<int64_t>& configurations);

/// One unadjusted finding per primary metric that has at least one difference.
std::vector<TaskFinding> find_over_seeds(const ClaimSetting& setting, const std::set<int64_t>& seeds,
                                         Assertion assertion, const SeedDifference& difference);

/// The plain sentences of a decided claim; a refuted one is followed by the tasks.
struct Readings {
    std::string when_supported, when_refuted;
};

/// Fills findings, n, verdict and reading; notes the seeds without a difference and margins so wide (against
/// the gap between the dense networks and the best prediction that ignores the image) that lying within them
/// says little.
void judge(Claim& claim, const ClaimSetting& setting, const std::set<int64_t>& seeds, Assertion assertion,
           const SeedDifference& difference, const Readings& readings);

/// Notes, and adds to the reading, how many of the networks that a claim compares do no better than a
/// prediction that ignores the image, by task.
void note_blind_networks(Claim& claim, const ClaimSetting& setting,
                         const std::vector<const Measurement*>& compared);

/// Notes when all seeds re-train one seed's architectures.
void note_shared_architectures(Claim& claim, const ClaimSetting& setting);

/// "29.7 M" or "531 k".
std::string show_count(double count);

}  // namespace mtlprune
