// Losses, predictions and gradients of the released code. Inputs and expected values are read from the golden
// folder.
#include <gtest/gtest.h>
#include <torch/utils.h>

#include "tests/float32_allowance.h"
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

std::vector<torch::Tensor> losses_of(PaperModel& model, const Batch& batch,
                                     Fidelity fidelity = Fidelity::corrected) {
    return task_losses(model->tasks(), model->forward(batch.image), batch.targets, fidelity);
}

/// One tensor per task, by the released names.
TensorMap by_task(const std::vector<torch::Tensor>& tensors) {
    TensorMap named;
    for (size_t t = 0; t < tensors.size(); ++t) named[golden_tasks()[t]] = tensors[t];
    return named;
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
    for (size_t k = 0; k < expected.size(); ++k) {
        const auto number = static_cast<int>(k);
        const auto drawn = drawn_results_of_model(
            [&](PaperModel& exact) { return by_task(losses_of(exact, golden_double_batch(number))); });
        for (const auto& task : golden_tasks())
            expect_as_drawn(drawn, task, torch::tensor(expected[k].at(task).get<double>(), torch::kDouble));
        for (const auto fidelity : {Fidelity::corrected, Fidelity::as_released})
            for (const auto& [task, loss] : by_task(losses_of(model, golden_batch(number), fidelity)))
                expect_as_drawn(drawn, task, loss);
    }
}

/// "features" and "out.<task>".
TensorMap features_and_predictions(PaperModel& model, const torch::Tensor& image) {
    TensorMap found = {{"features", model->features(image).back()}};
    for (const auto& [task, prediction] : by_task(model->forward(image))) found["out." + task] = prediction;
    return found;
}

TEST_P(GoldenKernels, FeaturesAndPredictions) {
    MTLPRUNE_REQUIRE_GOLDEN();
    torch::NoGradGuard no_grad;
    auto model = golden_model(GetParam());
    const auto golden = golden_pt("golden_b0.pt");
    const auto drawn = drawn_results_of_model(
        [](PaperModel& exact) { return features_and_predictions(exact, golden_double_batch(0).image); });
    for (const auto& [name, found] : features_and_predictions(model, golden_batch(0).image)) {
        expect_as_drawn(drawn, name, golden.at(name));
        expect_as_drawn(drawn, name, found);
    }
}

TEST(GoldenLosses, InDoublePrecision) {
    MTLPRUNE_REQUIRE_GOLDEN();
    torch::NoGradGuard no_grad;
    auto model = golden_double_model();
    const auto golden = golden_pt("golden_b0.pt");
    const auto batch = golden_double_batch(0);
    const auto predictions = model->forward(batch.image);
    const auto losses = task_losses(model->tasks(), predictions, batch.targets);
    double total = 0.0;
    for (size_t t = 0; t < losses.size(); ++t) {
        EXPECT_LT(scaled_error(predictions[t], golden.at("f64.out." + golden_tasks()[t])), 1e-12);
        const double expected = golden.at("f64.loss." + golden_tasks()[t]).item<double>();
        EXPECT_LT(relative_error(losses[t].item<double>(), expected), 1e-12) << golden_tasks()[t];
        total += losses[t].item<double>();
    }
    EXPECT_LT(relative_error(total, golden.at("f64.loss.total").item<double>()), 1e-12);
}

/// "<task>.<layer>": gradients of the task's loss by the weights.
TensorMap weight_gradients(PaperModel& model) {
    TensorMap found;
    const auto& layers = vgg(*model).convolutions;
    for (size_t t = 0; t < golden_tasks().size(); ++t) {
        model->zero_grad();
        losses_of(model, golden_double_batch(0))[t].backward();
        for (size_t l = 0; l < layers.size(); ++l)
            found[golden_tasks()[t] + "." + std::to_string(l)] = layers[l]->weight.grad().clone();
    }
    return found;
}

TEST(GoldenLosses, GradientsOfEachTask) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const auto golden = golden_pt("golden_b0.pt");
    const auto drawn = drawn_results_of_model(weight_gradients);
    for (const auto& [name, exact] : drawn.exact)
        expect_as_drawn(drawn, name, golden.at("conv_grad." + name));
}

/// (gate * d total/d gate)^2 at gate 1, with the gate's gradient from the parameters.
TEST(GoldenLosses, GradientOfTheTotalInDoublePrecision) {
    MTLPRUNE_REQUIRE_GOLDEN();
    auto model = golden_double_model();
    const auto golden = golden_pt("golden_b0.pt");
    const auto losses = losses_of(model, golden_double_batch(0));
    (losses[0] + losses[1] + losses[2]).backward();
    const auto& layers = vgg(*model).convolutions;
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
