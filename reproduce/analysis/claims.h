// The main paper's three claims about its results, tested on a run's tables.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "reproduce/analysis/verdict.h"
#include "reproduce/results/result_tables.h"

namespace mtlprune {

/// Fixed before the run, under "margins" of the experiment: by metric, absolute for fractions (displayed in
/// %), for others relative to the mean of the dense networks.
using ClaimMargins = std::map<std::string, double>;

/// Displayed in %, stored as 0..1.
bool is_fraction(const MetricInfo& metric);

/// Reads {"pixel_accuracy": 0.02, "angle_mean": 0.05, "rel_err": 0.05}: one key per primary metric; absent
/// ones are 0.02 for fractions, else 0.05. Throws Error on an unknown key and on a value outside (0, 1].
ClaimMargins read_claim_margins(const nlohmann::json& margins, const std::vector<MetricInfo>& primary,
                                const std::string& place);

/// A row of a claim's descriptive table; its p values are not adjusted and do not enter the verdict.
struct ClaimDetail {
    std::string label;  ///< e.g. "configuration 3 (29.7 M parameters)"
    std::vector<TaskFinding> findings;
};

struct Claim {
    std::string id;         ///< "C1" ...
    std::string title;      ///< a few words
    std::string statement;  ///< what is claimed, with the direction of the difference
    std::string rule;       ///< when it is called supported, refuted or not decided
    Verdict verdict = Verdict::not_decided;
    std::string reading;                ///< one plain sentence about the verdict
    int64_t n = 0;                      ///< independent units (seeds)
    double alpha = 0.05;                ///< level of the tests; intervals have confidence 1 - 2 alpha
    std::vector<TaskFinding> findings;  ///< one per task; empty when the tables do not allow the test
    std::vector<ClaimDetail> details;
    std::vector<std::string> notes;
};

/// C1: re-trained architectures of the two criteria are equivalent at similar size (paired over seeds; within
/// a seed
///     the mean over the configurations >= 1).
/// C2: at the last configuration, re-training from scratch beats iterative pruning (per seed the mean over
/// criteria). C3: during iterative pruning CosPrune is not worse than Taylor (per seed the mean over sizes
/// evenly spaced in the
///     logarithm, within the range that all curves share).
/// All at level `alpha` after Holm's adjustment over the tasks. Seeds that lack a needed row are left
/// out and named in the notes. Throws Error when a needed metric is not a finite number.
std::vector<Claim> judge_claims(const ResultTables& tables, const ClaimMargins& margins, double alpha = 0.05);

/// As above with the margins of run.json's experiment.
std::vector<Claim> judge_claims(const ResultTables& tables);

/// Everything as JSON, numbers that do not exist as null.
nlohmann::json claims_to_json(const std::vector<Claim>& claims);

/// The claims as an HTML fragment: one section per claim. All text is escaped.
std::string claims_to_html(const std::vector<Claim>& claims);

}  // namespace mtlprune
