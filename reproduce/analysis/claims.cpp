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

ClaimMargins read_claim_margins(const nlohmann::json& margins, const std::string& place) {
    JsonReader reader(margins, place);
    ClaimMargins result;
    result.pixel_accuracy = read_margin(reader, "pixel_accuracy", result.pixel_accuracy);
    result.angle_mean = read_margin(reader, "angle_mean", result.angle_mean);
    result.rel_err = read_margin(reader, "rel_err", result.rel_err);
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
    return judge_claims(tables, read_claim_margins(margins, "run.json: experiment: margins"));
}

}  // namespace mtlprune
