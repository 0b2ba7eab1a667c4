// Gradients of every kind of loss against finite differences in double precision, and where they must be zero
// or finite. losses_test.cpp checks the plain dense ones too.
#include <gtest/gtest.h>
#include <torch/utils.h>

#include "tests/random_batch.h"
#include "training/losses.h"
#include "training/tasks/task_type.h"

namespace mtlprune::loss_gradients_test {
namespace {

struct Case {
    std::string name;
    TaskSpec task;
    torch::Tensor prediction;
    Target target;
};

torch::Tensor random_mask(at::IntArrayRef shape, uint64_t key) {
    return noise(shape, key) > -0.5;
}

Target random_target(const TaskSpec& task, uint64_t key) {
    const auto mask = random_mask({2, 1, 5, 7}, key);
    if (task.kind == TaskKind::segmentation)
        return {noise({2, 5, 7}, key + 1).abs().mul(2).to(torch::kLong).clamp(0, task.channels - 1), mask};
    return {noise({2, task.channels, 5, 7}, key + 1), mask};
}

std::vector<Case> all_cases() {
    std::vector<Case> cases;
    for (const auto* type : task_types()) {
        const auto kind = type->kind();
        TaskSpec task{to_string(kind), kind, kind == TaskKind::normals ? 3 : 1};
        if (kind == TaskKind::classification || kind == TaskKind::segmentation) task.channels = 4;
        if (kind == TaskKind::classification) {
            const Target classes{torch::tensor({3, 0, 2}, torch::kLong),
                                 torch::tensor({1, 0, 1}).to(torch::kBool)};
            cases.push_back({"scores", task, noise({3, 4}, 1, torch::kDouble), classes});
            cases.push_back({"map of scores", task, noise({3, 4, 2, 3}, 2, torch::kDouble), classes});
            continue;
        }
        cases.push_back(
            {task.name, task, noise({2, task.channels, 2, 3}, 3, torch::kDouble), random_target(task, 4)});
        if (kind != TaskKind::segmentation) continue;
        task.class_weights = {0.5, 2.0, 0.25, 3.0};
        cases.push_back({"weighted classes", task, cases.back().prediction, cases.back().target});
    }
    return cases;
}

torch::Tensor gradient_of(const Case& c, const torch::Tensor& at) {
    const auto prediction = at.detach().clone().requires_grad_();
    task_loss(c.task, prediction, c.target).backward();
    return prediction.grad();
}

TEST(LossGradients, EveryKindAgreesWithFiniteDifferences) {
    const auto cases = all_cases();
    ASSERT_EQ(cases.size(), task_types().size() + 2U);
    constexpr double kStep = 1e-6;
    for (const auto& c : cases) {
        const auto gradient = gradient_of(c, c.prediction);
        EXPECT_GT(gradient.abs().max().item<double>(), 1e-3) << c.name;
        for (int64_t i = 0; i < c.prediction.numel(); ++i) {
            const auto loss_at = [&](double offset) {
                auto moved = c.prediction.clone();
                moved.view(-1)[i] += offset;
                return task_loss(c.task, moved, c.target).item<double>();
            };
            const double slope = (loss_at(kStep) - loss_at(-kStep)) / (2 * kStep);
            EXPECT_NEAR(gradient.reshape(-1)[i].item<double>(), slope, 1e-8) << c.name << ' ' << i;
        }
    }
}

TEST(LossGradients, AreZeroWithoutAValidTargetAndFiniteForAPredictionOfZero) {
    for (auto c : all_cases()) {
        EXPECT_TRUE(gradient_of(c, torch::zeros_like(c.prediction)).isfinite().all().item<bool>()) << c.name;
        c.target.mask = torch::zeros_like(c.target.mask);
        EXPECT_EQ(gradient_of(c, c.prediction).abs().max().item<double>(), 0.0) << c.name;
    }
}

TEST(LossGradients, AreFiniteForPredictionsAsLargeAsFloat32Takes) {
    for (const auto& c : all_cases()) {
        const auto gradient = gradient_of(c, c.prediction.to(torch::kFloat) * 1e15F);
        EXPECT_TRUE(gradient.isfinite().all().item<bool>()) << c.name;
    }
}

}  // namespace
}  // namespace mtlprune::loss_gradients_test
