#include "training/callbacks/learning_curve.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include "tests/training/tiny_training.h"

namespace mtlprune::learning_curve_test {
namespace {

Trainer trainer_with(const std::shared_ptr<LearningCurve>& curve) {
    TrainerOptions options;
    options.learning_rate_schedule = {.kind = LearningRateKind::step, .step_size = 3};
    return {tiny_model(), options, {curve}};
}

Batch batch_of(int64_t iteration) {
    return random_batch(static_cast<uint64_t>(iteration), 8);
}

TEST(LearningCurve, PointsAreMeansOfTheLossesSinceTheLast) {
    std::vector<int64_t> images;
    const auto curve = std::make_shared<LearningCurve>(
        3, [&](const LearningCurve::Point&, int64_t count) { images.push_back(count); });
    auto trainer = trainer_with(curve);
    std::vector<torch::Tensor> losses;
    for (int64_t i = 0; i < 7; ++i) losses.push_back(trainer.step(batch_of(i)));
    ASSERT_EQ(curve->points().size(), 2U);
    for (size_t p = 0; p < 2; ++p) {
        const auto mean = (losses[3 * p] + losses[3 * p + 1] + losses[3 * p + 2]).to(torch::kDouble) / 3.0;
        EXPECT_EQ(curve->points()[p].iteration, 3 * static_cast<int64_t>(p) + 3);
        for (size_t t = 0; t < 3; ++t)
            EXPECT_NEAR(curve->points()[p].losses[t], mean[static_cast<int64_t>(t)].item<double>(), 1e-6);
    }
    const double rate = trainer.options().optimizer.lr;
    EXPECT_DOUBLE_EQ(curve->points()[0].learning_rate, rate);
    EXPECT_DOUBLE_EQ(curve->points()[1].learning_rate, 0.1 * rate);
    EXPECT_EQ(images, (std::vector<int64_t>(2, 3 * batch_of(0).image.size(0))));
}

TEST(LearningCurve, GoesOnAfterAResume) {
    const auto whole = std::make_shared<LearningCurve>(3), first = std::make_shared<LearningCurve>(3),
               second = std::make_shared<LearningCurve>(3);
    auto uninterrupted = trainer_with(whole), killed = trainer_with(first), resumed = trainer_with(second);
    for (int64_t i = 0; i < 9; ++i) uninterrupted.step(batch_of(i));
    for (int64_t i = 0; i < 5; ++i) killed.step(batch_of(i));
    TensorMap saved;
    for (const auto& [name, tensor] : killed.state()) saved[name] = tensor.clone();
    resumed.load_state(saved);
    for (int64_t i = 5; i < 9; ++i) resumed.step(batch_of(i));
    EXPECT_EQ(second->points(), whole->points());
}

}  // namespace
}  // namespace mtlprune::learning_curve_test
