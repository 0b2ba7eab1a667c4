// Metrics of the released code and their corrections. Inputs and expected values are read from the golden
// folder.
#include <gtest/gtest.h>

#include "tests/golden_data.h"
#include "training/metrics.h"

namespace mtlprune::metrics_golden_test {
namespace {

const std::vector<std::vector<std::string>> kReleasedNames = {
    {"Pixel Acc", "mIoU"},
    {"Angle Mean", "Angle Median", "Angle 11.25", "Angle 22.5", "Angle 30"},
    {"abs_err", "rel_err", "sigma_1.25", "sigma_1.25^2", "sigma_1.25^3"}};

// The released code averages in float32.
constexpr double kRelativeTolerance = 2e-6;

std::vector<Target> case_targets(const TensorMap& golden, const std::string& name) {
    return golden_targets(golden.at(name + ".gt." + golden_tasks()[0]),
                          golden.at(name + ".gt." + golden_tasks()[1]),
                          golden.at(name + ".gt." + golden_tasks()[2]));
}

std::vector<Metric> evaluate(size_t task, const std::vector<std::string>& cases, Fidelity fidelity) {
    const auto golden = golden_pt("metrics.pt");
    const auto metrics = make_task_metrics(nyuv2_tasks(40)[task], fidelity);
    for (const auto& name : cases)
        metrics->add(golden.at(name + ".pred." + golden_tasks()[task]), case_targets(golden, name)[task]);
    return metrics->result();
}

void expect_released(const std::string& group, const std::vector<std::string>& cases) {
    const auto expected = golden_json("metrics.json").at(group).at("unrounded");
    for (size_t t = 0; t < golden_tasks().size(); ++t) {
        const auto metrics = evaluate(t, cases, Fidelity::as_released);
        ASSERT_EQ(metrics.size(), kReleasedNames[t].size());
        for (size_t m = 0; m < metrics.size(); ++m) {
            const double value = expected.at(golden_tasks()[t]).at(kReleasedNames[t][m]);
            EXPECT_NEAR(metrics[m].value, value, kRelativeTolerance * value) << metrics[m].name;
        }
    }
}

TEST(GoldenMetrics, OneCall) {
    MTLPRUNE_REQUIRE_GOLDEN();
    expect_released("single", {"case0"});
}

TEST(GoldenMetrics, TwoCallsOfDifferentBatchSizes) {
    MTLPRUNE_REQUIRE_GOLDEN();
    expect_released("two_calls_2_and_1", {"case0", "case1"});
}

/// Pooling over all pixels follows from the sums of both calls: the confusion matrix is in the golden file.
TEST(GoldenMetrics, CorrectedAccuracyIsPooled) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const auto confusion = golden_pt("metrics.pt").at("two_calls_2_and_1.conf_mat");
    const double pooled = (confusion.trace() / confusion.sum()).item<double>();
    EXPECT_NEAR(evaluate(0, {"case0", "case1"}, Fidelity::corrected)[0].value, pooled, 1e-12);
}

TEST(GoldenMetrics, CorrectedDeltasCountNegativeDepthAsWrong) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const auto json = golden_json("metrics.json");
    ASSERT_GT(json.at("single_negative_depth_fraction").get<double>(), 0.0);
    const auto& expected = json.at("single_sigma_if_negatives_are_wrong");
    const auto metrics = evaluate(2, {"case0"}, Fidelity::corrected);
    for (int k = 1; k <= 3; ++k)
        EXPECT_NEAR(metrics[1 + k].value, expected.at("sigma_1.25^" + std::to_string(k)).get<double>(), 1e-9);
}

TEST(GoldenMetrics, CorrectedMeanIouCountsClassesThatAreNeverHit) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const auto golden = golden_pt("metrics.pt");
    const auto expected = golden_json("metrics.json").at("miou_quirk");
    const auto labels = golden.at("miou_quirk.gt").to(torch::kInt64);
    const auto evaluate_miou = [&](Fidelity fidelity) {
        const auto metrics = make_task_metrics(nyuv2_tasks(40)[0], fidelity);
        metrics->add(golden.at("miou_quirk.pred"), {labels.squeeze(1), labels != 255});
        return metrics->result();
    };
    const auto released = evaluate_miou(Fidelity::as_released);
    EXPECT_NEAR(released[0].value, expected.at("as_coded").at("Pixel Acc").get<double>(), 1e-8);
    EXPECT_NEAR(released[1].value, expected.at("as_coded").at("mIoU").get<double>(), 1e-12);
    EXPECT_NEAR(evaluate_miou(Fidelity::corrected)[1].value,
                expected.at("mIoU_over_present_classes").get<double>(), 1e-12);
}

}  // namespace
}  // namespace mtlprune::metrics_golden_test
