#include "reproduce/analysis/claims.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "reproduce/analysis/size_curve.h"
#include "tests/reproduce/fabricated_results.h"
#include "tests/temporary_folder.h"

namespace mtlprune::claims_test {
namespace {

std::vector<Claim> judge(const FabricatedResults& results) {
    const TemporaryFolder folder;
    results.write(folder.path());
    return judge_claims(read_result_tables(folder.path()));
}

/// Seeds differ a little in the given direction, so that every test has a spread.
double jitter(int seed) {
    return 1 + 0.1 * seed;
}

FabricatedResults with_retrained_difference(double fraction_of_margin) {
    FabricatedResults results;
    results.retrained = [=](const std::string& criterion, int seed, int) {
        const double d = criterion == "cosprune" ? fraction_of_margin * jitter(seed) : 0;
        return FabricatedQuality{0.5 + 0.02 * d, 20 + 1.0 * d, 0.3 + 0.015 * d};
    };
    return results;
}

TEST(ClaimEquivalence, SupportedWithinTheMargins) {
    const Claim claim = judge(with_retrained_difference(0.2)).at(0);
    EXPECT_EQ(claim.verdict, Verdict::supported);
    EXPECT_EQ(claim.n, 3);
    ASSERT_EQ(claim.findings.size(), 3u);
    EXPECT_EQ(claim.findings[0].metric.name, "pixel_accuracy");
    EXPECT_NEAR(claim.findings[0].difference, 0.02 * 0.22, 1e-12);
    EXPECT_DOUBLE_EQ(claim.findings[0].margin, 0.02);
    EXPECT_NEAR(claim.findings[1].margin, 1, 1e-12);      // 5 % of the dense 20 degrees
    EXPECT_NEAR(claim.findings[2].margin, 0.015, 1e-12);  // 5 % of the dense 0.3
    EXPECT_EQ(claim.details.size(), 3u);                  // configurations 1..3
}

TEST(ClaimEquivalence, RefutedBeyondAMargin) {
    const Claim claim = judge(with_retrained_difference(5)).at(0);
    EXPECT_EQ(claim.verdict, Verdict::refuted);
    EXPECT_NE(claim.reading.find("normals"), std::string::npos);
}

TEST(ClaimEquivalence, OneTaskBeyondItsMarginIsEnoughToRefute) {
    FabricatedResults results;
    results.retrained = [](const std::string& criterion, int seed, int) {
        const double d = criterion == "cosprune" ? jitter(seed) : 0;
        return FabricatedQuality{0.5 + 0.001 * d, 20 + 0.01 * d, 0.3 - 0.1 * d};
    };
    const Claim claim = judge(results).at(0);
    EXPECT_EQ(claim.verdict, Verdict::refuted);
    EXPECT_EQ(claim.reading.find("segmentation"), std::string::npos);
    EXPECT_NE(claim.reading.find("depth"), std::string::npos);
}

TEST(ClaimEquivalence, NoisySeedsAreNotDecidedAndNeverCalledEqual) {
    FabricatedResults results;
    results.retrained = [](const std::string& criterion, int seed, int) {
        const double d = criterion == "cosprune" ? seed - 1.0 : 0;  // -1, 0, 1: mean zero, wide spread
        return FabricatedQuality{0.5 + 0.03 * d, 20 + 1.5 * d, 0.3 + 0.02 * d};
    };
    const Claim claim = judge(results).at(0);
    EXPECT_EQ(claim.verdict, Verdict::not_decided);
    EXPECT_GT(claim.findings[0].p, 0.05);
    EXPECT_EQ(claim.findings[0].reading.find("equal:"), std::string::npos);
    EXPECT_NE(claim.reading.find("neither for nor against"), std::string::npos);
}

TEST(ClaimEquivalence, AveragesConfigurationsWithinASeed) {
    FabricatedResults results;
    results.retrained = [](const std::string& criterion, int seed, int configuration) {
        const double d = criterion == "cosprune" ? configuration * jitter(seed) : 0;
        return FabricatedQuality{0.5 + 0.001 * d, 20, 0.3};
    };
    const Claim claim = judge(results).at(0);
    EXPECT_NEAR(claim.findings[0].difference, 0.001 * 2 * 1.1, 1e-12);  // configurations 1..3, dense left out
    EXPECT_EQ(claim.findings[0].n, 3);
    EXPECT_TRUE(std::isnan(claim.findings[1].d_z));  // no spread: nothing tested
    EXPECT_EQ(claim.findings[1].p, 1);
}

FabricatedResults with_retraining_gain(double gain) {
    FabricatedResults results;
    results.iterative = [](const std::string&, int, int) { return FabricatedQuality{0.3, 30, 0.5}; };
    results.retrained = [=](const std::string&, int seed, int configuration) {
        const double d = configuration == 3 ? gain * jitter(seed) : -gain;  // only the last size counts
        return FabricatedQuality{0.3 + 0.05 * d, 30 - d, 0.5 - 0.1 * d};
    };
    return results;
}

TEST(ClaimRetraining, SupportedWhenBetterOnEveryTask) {
    const Claim claim = judge(with_retraining_gain(1)).at(1);
    EXPECT_EQ(claim.verdict, Verdict::supported);
    EXPECT_NEAR(claim.findings[1].difference, -1.1, 1e-12);  // degrees, lower is better
    EXPECT_EQ(claim.details.size(), 2u);                     // per criterion
}

TEST(ClaimRetraining, RefutedWhenWorse) {
    EXPECT_EQ(judge(with_retraining_gain(-1)).at(1).verdict, Verdict::refuted);
}

FabricatedResults with_pruning_harm(double fraction_of_margin) {
    FabricatedResults results;
    results.iterative = [=](const std::string& criterion, int seed, int event) {
        const double d = criterion == "cosprune" && event > 0 ? fraction_of_margin * jitter(seed) : 0;
        return FabricatedQuality{0.5 - 0.02 * d, 20 + 1.0 * d, 0.3 + 0.015 * d};
    };
    return results;
}

TEST(ClaimIterativePruning, SupportedWhenHarmIsWellBelowTheMargin) {
    EXPECT_EQ(judge(with_pruning_harm(0.2)).at(2).verdict, Verdict::supported);
}

TEST(ClaimIterativePruning, SupportedWhenMuchBetter) {
    EXPECT_EQ(judge(with_pruning_harm(-5)).at(2).verdict, Verdict::supported);
}

TEST(ClaimIterativePruning, RefutedWhenWorseByMoreThanTheMargin) {
    EXPECT_EQ(judge(with_pruning_harm(5)).at(2).verdict, Verdict::refuted);
}

// Equal steps of a factor 2: the mean over the logarithmic grid is the trapezoid's, here (0.5 + 1 + 1) / 3 of
// the harm.
TEST(ClaimIterativePruning, AveragesOverTheLogarithmOfSize) {
    const Claim claim = judge(with_pruning_harm(1)).at(2);
    EXPECT_NEAR(claim.findings[1].difference, 1.1 * 2.5 / 3, 1.1 * 0.01);
}

TEST(Claims, WideMarginIsPointedOut) {
    FabricatedResults results = with_retrained_difference(0.2);
    EXPECT_TRUE(judge(results).at(0).notes.empty());
    results.constant.angle_mean = 20.5;  // the dense networks have 20, the margin is 1 degree
    const Claim claim = judge(results).at(0);
    ASSERT_EQ(claim.notes.size(), 1u);
    EXPECT_NE(claim.notes[0].find("Mean angle"), std::string::npos);
    EXPECT_NE(claim.reading.find("for: normals"), std::string::npos);
    results.constant.angle_mean = 40;
    results.position.angle_mean = 20.5;
    EXPECT_EQ(judge(results).at(0).notes, claim.notes);
    results.position.angle_mean = 15;  // better than the dense networks by more than twice the margin
    ASSERT_FALSE(judge(results).at(0).notes.empty());
    EXPECT_NE(judge(results).at(0).notes[0].find("forgives everything"), std::string::npos);
}

bool any_note_has(const Claim& claim, const std::string& part) {
    return std::any_of(claim.notes.begin(), claim.notes.end(),
                       [&](const auto& note) { return note.find(part) != std::string::npos; });
}

// The invented networks beat the constant; what is no better than the position-only predictor is said in
// each claim that compares it, and in no other.
TEST(Claims, NetworksThatIgnoreTheImageAreCounted) {
    FabricatedResults results = with_retrained_difference(0.2);
    for (const Claim& claim : judge(results)) EXPECT_EQ(claim.reading.find("ignores"), std::string::npos);
    results.position.angle_mean = 30;
    results.position.rel_err = 0.4;
    results.iterative = [](const std::string& criterion, int, int event) {
        return FabricatedQuality{0.5, criterion == "taylor" && event >= 2 ? 31.0 : 20.0, 0.3};
    };
    const auto retrained = results.retrained;
    results.retrained = [=](const std::string& criterion, int seed, int configuration) {
        auto quality = retrained(criterion, seed, configuration);
        if (seed == 0 && configuration == 1) quality.rel_err = 0.4;
        return quality;
    };
    const auto claims = judge(results);
    EXPECT_NE(claims.at(0).reading.find("compared: depth (2 of 18)."), std::string::npos);
    EXPECT_TRUE(any_note_has(claims[0], "Relative error: 2 of the 18 networks compared"));
    EXPECT_NE(claims.at(1).reading.find("compared: normals (3 of 12)."), std::string::npos);
    EXPECT_NE(claims.at(2).reading.find("compared: normals (6 of 24)."), std::string::npos);
    EXPECT_TRUE(any_note_has(claims[2], "(30 °)"));
}

TEST(Claims, SharedArchitecturesAreNoted) {
    FabricatedResults results = with_retrained_difference(0.2);
    results.run["experiment"]["retrain"]["architecture_seed"] = -1;
    EXPECT_TRUE(judge(results).at(0).notes.empty());
    results.run["experiment"]["retrain"]["architecture_seed"] = 2;
    ASSERT_EQ(judge(results).at(0).notes.size(), 1u);
    EXPECT_NE(judge(results).at(0).notes[0].find("seed 2"), std::string::npos);
    results.run["experiment"] = {
        {"stages", {{"dense", {{"kind", "train"}}}, {"scratch", {{"from_seed", 1}}}}}};
    ASSERT_EQ(judge(results).at(0).notes.size(), 1u);
    EXPECT_NE(judge(results).at(0).notes[0].find("seed 1"), std::string::npos);
}

// n = 2, t = 1 / 0.1: raw p = 0.032 each would read "better"; after Holm over three tasks none is
// significant, and the wording must follow.
TEST(Claims, ReadingsFollowTheAdjustedValues) {
    std::vector<TaskFinding> findings;
    for (const MetricInfo& metric : metric_definitions(nyuv2_tasks(40))) {
        if (!metric.primary) continue;
        const double sign = metric.higher_is_better ? 1 : -1;
        findings.push_back(find_for_task({metric, {0.9 * sign, 1.1 * sign}}, Assertion::better, 0.05));
        EXPECT_LT(findings.back().p, 0.05);
        EXPECT_NE(findings.back().reading.find(": better."), std::string::npos);
    }
    adjust_over_tasks(findings, Assertion::better, 0.05);
    EXPECT_GT(findings[0].p_holm, 0.05);
    EXPECT_EQ(findings[0].reading.find(": better."), std::string::npos);
    EXPECT_EQ(decide(findings, 0.05), Verdict::not_decided);
}

TEST(Claims, OneSeedDecidesNothing) {
    FabricatedResults results = with_retrained_difference(0.2);
    results.seeds = 1;
    for (const Claim& claim : judge(results)) {
        EXPECT_EQ(claim.verdict, Verdict::not_decided);
        EXPECT_NE(claim.reading.find("One seed"), std::string::npos);
    }
}

TEST(Claims, IncompleteSeedIsLeftOutAndNamed) {
    FabricatedResults results = with_retrained_difference(0.2);
    results.keep = [](const TableRow& row) { return row.stage != "retrain-cosprune-3" || row.seed != 2; };
    const Claim claim = judge(results).at(0);
    EXPECT_EQ(claim.n, 2);
    ASSERT_FALSE(claim.notes.empty());
    EXPECT_NE(claim.notes[0].find("Seed 2"), std::string::npos);
}

TEST(Claims, EmptyLayersAndMissingRetrainingLeaveClaimsUndecided) {
    const TemporaryFolder folder;
    FabricatedResults results;
    results.keep = [](const TableRow& row) { return !row.stage.starts_with("retrain"); };
    results.write(folder.path());
    Table table;
    const Table written = results.table();
    for (TableRow row : written.rows()) {
        if (row.stage == "prune-taylor" && row.seed == 0 && row.event == 3 && row.metric == "width.1")
            row.value = "0";
        table.add(row);
    }
    table.write(folder / "results.csv");
    const ResultTables tables = read_result_tables(folder.path());
    EXPECT_EQ(tables.events_with_empty_layer, 1);
    EXPECT_EQ(tables.iterative.size(), 23u);
    const Claim claim = judge_claims(tables).at(0);
    EXPECT_EQ(claim.verdict, Verdict::not_decided);
    EXPECT_TRUE(claim.findings.empty());
}

TEST(Claims, NonFiniteMetricIsAnError) {
    FabricatedResults results;
    results.retrained = [](const std::string&, int, int) { return FabricatedQuality{std::nan(""), 20, 0.3}; };
    EXPECT_THROW(judge(results), Error);
}

TEST(Claims, MarginsComeFromTheExperiment) {
    FabricatedResults results = with_retrained_difference(0.2);
    results.run["experiment"]["margins"] = {{"pixel_accuracy", 0.001}};
    const Claim claim = judge(results).at(0);
    EXPECT_DOUBLE_EQ(claim.findings[0].margin, 0.001);
    EXPECT_EQ(claim.verdict, Verdict::refuted);
    const auto primary = metric_definitions({inverse_depth_task()});
    EXPECT_EQ(read_claim_margins(nlohmann::json::object(), primary, "test").at("rel_err"), 0.05);
    EXPECT_THROW(read_claim_margins({{"pixel_acuracy", 0.1}}, primary, "test"), Error);
    EXPECT_THROW(read_claim_margins({{"rel_err", 0}}, primary, "test"), Error);
}

TEST(Claims, JsonHoldsVerdictAndNullForWhatDoesNotExist) {
    FabricatedResults results = with_retrained_difference(0.2);
    results.seeds = 1;
    const nlohmann::json json = nlohmann::json::parse(claims_to_json(judge(results)).dump());
    const nlohmann::json& first = json.at("claims").at(0);
    EXPECT_EQ(first.at("id"), "C1");
    EXPECT_EQ(first.at("verdict"), "not decided");
    EXPECT_TRUE(first.at("findings").at(0).at("d_z").is_null());
    EXPECT_EQ(first.at("findings").at(0).at("n"), 1);
}

TEST(SizeCurve, InterpolatesOverTheLogarithm) {
    const SizeCurve curve({{1, 0}, {100, 2}, {100, 4}});
    EXPECT_NEAR(curve.at(10), 1.5, 1e-12);  // halfway in the logarithm; equal sizes are averaged
    EXPECT_EQ(curve.at(100), 3);
    EXPECT_THROW(curve.at(101), Error);
    const std::vector<double> grid = logarithmic_grid(1, 100, 3);
    EXPECT_NEAR(grid[1], 10, 1e-12);
    EXPECT_EQ(grid[2], 100);
}

}  // namespace
}  // namespace mtlprune::claims_test
