// Scores of one batch against the released code's and against its double-precision restatement, both from the
// golden folder.
#include <gtest/gtest.h>

#include "pruning/criteria/cosprune.h"
#include "pruning/criteria/taylor.h"
#include "tests/golden_data.h"
#include "training/task_gradients.h"

namespace mtlprune::criteria_golden_test {
namespace {

/// Observation of one convolution from per-task gradients in TaskGradients order (weight, bias alternating).
GroupObservation observe(MultiTaskModel& model, const std::vector<std::vector<torch::Tensor>>& tasks,
                         size_t layer) {
    const auto total = sum_gradients(tasks);
    Producer producer;
    producer.weight = model->backbone->convolutions[layer]->weight.detach();
    producer.bias = model->backbone->convolutions[layer]->bias.detach();
    for (const auto& task : tasks) producer.weight_gradients.push_back(task[2 * layer]);
    producer.weight_gradient = total[2 * layer];
    producer.bias_gradient = total[2 * layer + 1];
    return {"conv" + std::to_string(layer + 1), {producer}, {}};
}

/// One gate of 1 per filter, to be differentiated by.
std::vector<torch::Tensor> open_gates(const MultiTaskModel& model) {
    std::vector<torch::Tensor> gates;
    for (const int64_t width : model->config().widths)
        gates.push_back(torch::ones({width}).requires_grad_(true));
    return gates;
}

void check_batch(torch::Dtype type, const std::string& prefix, double cosine_tolerance,
                 double taylor_tolerance) {
    const auto golden = golden_pt("golden_b0.pt");
    auto model = golden_model();
    model->to(type);
    auto batch = golden_batch(0);
    batch.image = batch.image.to(type);
    TaskGradients gradients(model, batch);
    std::vector<std::vector<torch::Tensor>> tasks;
    for (size_t t = 0; t < gradients.task_count(); ++t) tasks.push_back(gradients.backbone(t));
    const size_t layers = model->backbone->convolutions.size();
    ASSERT_GT(layers, 0U);
    for (size_t l = 0; l < layers; ++l) {
        const auto observation = observe(model, tasks, l);
        const auto taylor = gate_gradient(observation).square().to(torch::kDouble);
        const auto expected_taylor =
            golden.at(prefix + "taylor.intended." + std::to_string(l)).to(torch::kDouble);
        EXPECT_LT(((taylor - expected_taylor).abs().max() / expected_taylor.max()).item<double>(),
                  taylor_tolerance)
            << "Taylor, layer " << l;
        const auto cosine = mean_pairwise_cosine(task_gram(observation.producers[0].weight_gradients));
        const auto expected_cosine =
            golden.at(prefix + "cos.intended." + std::to_string(l)).to(torch::kDouble);
        // The golden "intended" cosine of a zero gradient is 0/0 in single precision; it is defined as 0.
        EXPECT_LT((cosine - expected_cosine.nan_to_num(0.0)).abs().max().item<double>(), cosine_tolerance)
            << "cosine, layer " << l;
    }
}

TEST(GoldenCriteria, OneBatchInSinglePrecision) {
    MTLPRUNE_REQUIRE_GOLDEN();
    check_batch(torch::kFloat, "", 1e-5, 1e-5);
}

TEST(GoldenCriteria, OneBatchInDoublePrecision) {
    MTLPRUNE_REQUIRE_GOLDEN();
    check_batch(torch::kDouble, "f64.", 1e-9, 1e-9);
}

TEST(GoldenCriteria, FirstIterationAsReleased) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const auto golden = golden_pt("golden_b0.pt");
    auto model = golden_model();
    const auto gates = open_gates(model);
    TaskGradients gradients(model, golden_batch(0), Fidelity::as_released, &gates);
    const auto total = gradients.backbone_total();
    std::vector<GroupObservation> groups;
    for (size_t g = 0; g < gates.size(); ++g)
        groups.push_back({"conv" + std::to_string(g + 1), {}, total[total.size() - gates.size() + g]});
    TaylorCriterion criterion(TaylorOptions::of(Fidelity::as_released));
    criterion.observe(groups);
    const auto scores = criterion.scores();
    for (size_t g = 0; g < scores.size(); ++g) {
        const auto expected = golden.at("taylor.ascoded." + std::to_string(g)).to(torch::kDouble);
        EXPECT_LT(((scores[g] - expected).abs().max() / expected.max()).item<double>(), 1e-5)
            << "layer " << g;
    }
}

TEST(GoldenCriteria, LossesAndGateGradientsOfEachTask) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const auto golden = golden_pt("golden_b0.pt");
    auto model = golden_model();
    const auto gates = open_gates(model);
    TaskGradients gradients(model, golden_batch(0), Fidelity::corrected, &gates);
    for (size_t t = 0; t < gradients.task_count(); ++t) {
        const double loss = golden.at("loss." + golden_tasks()[t]).item<double>();
        EXPECT_NEAR(gradients.losses()[t].item<double>(), loss, 1e-6 * std::abs(loss)) << golden_tasks()[t];
        const auto found = gradients.backbone(t);
        for (size_t g = 0; g < gates.size(); ++g) {
            const auto expected = golden.at("gate_grad." + golden_tasks()[t] + "." + std::to_string(g));
            const auto& gradient = found[found.size() - gates.size() + g];
            EXPECT_LT(((gradient - expected).abs().max() / expected.abs().max()).item<double>(), 1e-5)
                << golden_tasks()[t] << ", layer " << g;
        }
    }
    const double total = golden.at("loss.total").item<double>();
    EXPECT_NEAR(gradients.losses().sum().item<double>(), total, 1e-6 * std::abs(total));
}

TEST(GoldenCriteria, CosinesAsReleased) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const auto golden = golden_pt("golden_b0.pt");
    auto model = golden_model();
    TaskGradients gradients(model, golden_batch(0));
    std::vector<std::vector<torch::Tensor>> tasks;
    for (size_t t = 0; t < gradients.task_count(); ++t) tasks.push_back(gradients.backbone(t));
    const auto layer_means = golden.at("cos.layer_mean_ascoded").to(torch::kDouble);
    for (size_t l = 0; l < model->backbone->convolutions.size(); ++l) {
        const auto observation = observe(model, tasks, l);
        const auto cosine = mean_pairwise_cosine(task_gram(observation.producers[0].weight_gradients));
        const auto expected = golden.at("cos.ascoded." + std::to_string(l)).to(torch::kDouble);
        EXPECT_LT((cosine - expected.nan_to_num(0.0)).abs().max().item<double>(), 1e-5) << "layer " << l;
        EXPECT_NEAR(cosine.mean().item<double>(), layer_means[l].item<double>(), 1e-5) << "layer " << l;
    }
}

}  // namespace
}  // namespace mtlprune::criteria_golden_test
