// Losses, predictions and gradients of the released code. Inputs and expected values are read from the golden
// folder.
#include <gtest/gtest.h>
#include <torch/utils.h>

#include "tests/golden_data.h"
#include "training/losses.h"

namespace mtlprune::losses_golden_test {
namespace {

double relative_error(double value, double expected) {
    return std::abs(value - expected) / std::abs(expected);
}

/// Largest difference relative to the largest expected value.
double scaled_error(const torch::Tensor& value, const torch::Tensor& expected) {
    return ((value - expected).abs().max() / expected.abs().max()).item<double>();
}

std::vector<torch::Tensor> losses_of(MultiTaskModel& model, const Batch& batch, torch::Dtype type) {
    return task_losses(model->config().tasks, model->forward(batch.image.to(type)), batch.targets);
}

class GoldenKernels : public testing::TestWithParam<ConvolutionKernels> {};

INSTANTIATE_TEST_SUITE_P(Both, GoldenKernels,
                         testing::Values(ConvolutionKernels::fastest, ConvolutionKernels::library));

TEST_P(GoldenKernels, LossesOfAllBatches) {
    MTLPRUNE_REQUIRE_GOLDEN();
    torch::NoGradGuard no_grad;
    auto model = golden_model(GetParam());
    const auto expected = golden_json("golden.json").at("losses_per_batch");
    ASSERT_GT(expected.size(), 0U);
    for (size_t k = 0; k < expected.size(); ++k)
        for (const auto fidelity : {Fidelity::corrected, Fidelity::as_released}) {
            const auto batch = golden_batch(static_cast<int>(k));
            const auto predictions = model->forward(batch.image);
            const auto losses = task_losses(model->config().tasks, predictions, batch.targets, fidelity);
            for (size_t t = 0; t < losses.size(); ++t)
                EXPECT_LT(relative_error(losses[t].item<double>(), expected[k].at(golden_tasks()[t])), 1e-6)
                    << "batch " << k << ", " << golden_tasks()[t];
        }
}

TEST_P(GoldenKernels, FeaturesAndPredictions) {
    MTLPRUNE_REQUIRE_GOLDEN();
    torch::NoGradGuard no_grad;
    auto model = golden_model(GetParam());
    const auto golden = golden_pt("golden_b0.pt");
    const auto image = golden_batch(0).image;
    EXPECT_LT(scaled_error(model->features(image), golden.at("features")), 1e-5);
    const auto predictions = model->forward(image);
    for (size_t t = 0; t < predictions.size(); ++t)
        EXPECT_LT(scaled_error(predictions[t], golden.at("out." + golden_tasks()[t])), 1e-5);
}

TEST(GoldenLosses, InDoublePrecision) {
    MTLPRUNE_REQUIRE_GOLDEN();
    torch::NoGradGuard no_grad;
    auto model = golden_model();
    model->to(torch::kFloat64);
    const auto golden = golden_pt("golden_b0.pt");
    const auto batch = golden_batch(0);
    const auto predictions = model->forward(batch.image.to(torch::kFloat64));
    const auto losses = task_losses(model->config().tasks, predictions, batch.targets);
    double total = 0.0;
    for (size_t t = 0; t < losses.size(); ++t) {
        EXPECT_LT(scaled_error(predictions[t], golden.at("f64.out." + golden_tasks()[t])), 1e-12);
        const double expected = golden.at("f64.loss." + golden_tasks()[t]).item<double>();
        EXPECT_LT(relative_error(losses[t].item<double>(), expected), 1e-12) << golden_tasks()[t];
        total += losses[t].item<double>();
    }
    EXPECT_LT(relative_error(total, golden.at("f64.loss.total").item<double>()), 1e-12);
}

TEST(GoldenLosses, GradientsOfEachTask) {
    MTLPRUNE_REQUIRE_GOLDEN();
    auto model = golden_model();
    const auto golden = golden_pt("golden_b0.pt");
    const auto& layers = model->backbone->convolutions;
    for (size_t t = 0; t < golden_tasks().size(); ++t) {
        model->zero_grad();
        losses_of(model, golden_batch(0), torch::kFloat32)[t].backward();
        for (size_t l = 0; l < layers.size(); ++l) {
            const auto place = golden_tasks()[t] + "." + std::to_string(l);
            EXPECT_LT(scaled_error(layers[l]->weight.grad(), golden.at("conv_grad." + place)), 1e-5) << place;
        }
    }
}

/// (gate * d total/d gate)^2 at gate 1, with the gate's gradient from the parameters.
TEST(GoldenLosses, GradientOfTheTotalInDoublePrecision) {
    MTLPRUNE_REQUIRE_GOLDEN();
    auto model = golden_model();
    model->to(torch::kFloat64);
    const auto golden = golden_pt("golden_b0.pt");
    const auto losses = losses_of(model, golden_batch(0), torch::kFloat64);
    (losses[0] + losses[1] + losses[2]).backward();
    const auto& layers = model->backbone->convolutions;
    for (size_t l = 0; l < layers.size(); ++l) {
        const auto& layer = layers[l];
        const auto gradient =
            (layer->weight * layer->weight.grad()).sum({1, 2, 3}) + layer->bias * layer->bias.grad();
        EXPECT_LT(scaled_error(gradient.square(), golden.at("f64.taylor.intended." + std::to_string(l))),
                  1e-10)
            << "layer " << l;
    }
}

}  // namespace
}  // namespace mtlprune::losses_golden_test
