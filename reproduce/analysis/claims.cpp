#include "reproduce/analysis/claims.h"

#include <algorithm>

#include "base/error.h"
#include "base/json_reader.h"
#include "reproduce/analysis/claim_setting.h"

namespace mtlprune {
namespace {

/// A run of other criteria leaves the claims undecided; this says why.
void note_absent_criteria(std::vector<Claim>& claims, const ClaimSetting& setting) {
    const std::vector<std::string> found = criteria_of(setting.tables.iterative);
    for (const std::string& name : {setting.first, setting.second}) {
        if (std::find(found.begin(), found.end(), name) != found.end()) continue;
        for (Claim& claim : claims) claim.notes.push_back("The run has no criterion '" + name + "'.");
    }
}

double read_margin(JsonReader& reader, const std::string& key, double fallback) {
    const double margin = reader.number(key, fallback, 0, 1);
    if (!(margin > 0)) throw Error("configuration", reader.place() + ": " + key, "a number above 0", "0");
    return margin;
}

}  // namespace

bool is_fraction(const MetricInfo& metric) {
    return metric.display_unit == "%";
}

ClaimMargins read_claim_margins(const nlohmann::json& margins, const std::vector<MetricInfo>& primary,
                                const std::string& place) {
    JsonReader reader(margins, place);
    ClaimMargins result;
    for (const auto& metric : primary)
        result[metric.name] = read_margin(reader, metric.name, is_fraction(metric) ? 0.02 : 0.05);
    reader.finish();
    return result;
}

std::vector<Claim> judge_claims(const ResultTables& tables, const ClaimMargins& margins, double alpha) {
    const ClaimSetting setting{tables, margins, alpha};
    std::vector<Claim> claims = {judge_equivalence(setting), judge_retraining(setting),
                                 judge_iterative_pruning(setting)};
    note_absent_criteria(claims, setting);
    return claims;
}

std::vector<Claim> judge_claims(const ResultTables& tables) {
    nlohmann::json margins = nlohmann::json::object();
    if (const auto experiment = tables.run.find("experiment"); experiment != tables.run.end())
        if (const auto found = experiment->find("margins"); found != experiment->end() && !found->is_null())
            margins = *found;
    return judge_claims(
        tables, read_claim_margins(margins, tables.primary_metrics(), "run.json: experiment: margins"));
}

}  // namespace mtlprune
