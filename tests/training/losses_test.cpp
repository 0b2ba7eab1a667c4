#include "training/losses.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "training/tasks/pixel_targets.h"

namespace mtlprune::losses_test {
namespace {

const TaskSpec kSegmentation{"segmentation", TaskKind::segmentation, 4};
const TaskSpec kNormals{"normals", TaskKind::normals, 3};
const TaskSpec kDepth{"depth", TaskKind::depth, 1};
const TaskSpec kEdges{"edges", TaskKind::edges, 1};
const std::vector<TaskSpec> kAll = {kSegmentation, kNormals, kDepth, kEdges};

at::Generator generator(uint64_t key) {
    return at::detail::createCPUGenerator(key);
}

torch::Tensor noise(at::IntArrayRef shape, uint64_t key) {
    return torch::empty(shape, torch::kFloat64).normal_(0.0, 1.0, generator(key));
}

torch::Tensor prediction_of(const TaskSpec& task) {
    return noise({2, task.channels, 2, 3}, 1);
}

/// Random labels of 5x7, about two thirds of them valid.
Target target_of(const TaskSpec& task) {
    const auto mask = torch::empty({2, 1, 5, 7}, torch::kFloat64).uniform_(0, 1, generator(2)) < 0.67;
    if (task.kind == TaskKind::segmentation)
        return {torch::empty({2, 5, 7}, torch::kInt64).random_(0, task.channels, generator(3)), mask};
    return {noise({2, task.channels, 5, 7}, 4).to(torch::kFloat32), mask};
}

Target without_valid_pixels(Target target) {
    target.mask = torch::zeros_like(target.mask);
    return target;
}

TEST(NearestResize, FollowsTorchsIndexRule) {
    for (const auto& [in, out] : std::vector<std::pair<int64_t, int64_t>>{
             {321, 10}, {97, 3}, {10, 321}, {480, 15}, {7, 7}, {3, 1}, {1, 5}, {255, 77}, {641, 333}}) {
        const auto x = torch::arange(in * in, torch::kFloat32).view({1, 1, in, in});
        const auto expected = at::upsample_nearest2d(x, {out, out + 2});
        EXPECT_TRUE(nearest_resize(x, out, out + 2).equal(expected)) << in << " -> " << out;
    }
}

TEST(NearestResize, KeepsIntegersAndMasksExact) {
    const auto labels =
        torch::arange(int64_t{9007199254740993}, int64_t{9007199254740993 + 12}).view({1, 3, 4});
    const auto resized = nearest_resize(labels, 6, 2);
    EXPECT_EQ(resized.scalar_type(), torch::kInt64);
    EXPECT_EQ(resized.sizes().vec(), (std::vector<int64_t>{1, 6, 2}));
    EXPECT_EQ(resized[0][5][1].item<int64_t>(), 9007199254740993 + 10);
    EXPECT_EQ(nearest_resize(labels > 0, 2, 2).scalar_type(), torch::kBool);
}

TEST(TaskLoss, SegmentationIsTheMeanNegativeLogProbability) {
    const auto prediction =
        torch::tensor({1.0, 2.0, 0.5, -1.0}, torch::kFloat64).view({1, 4, 1, 1}).expand({1, 4, 1, 2});
    const Target target{torch::tensor({1, 3}).view({1, 1, 2}),
                        torch::tensor({true, true}).view({1, 1, 1, 2})};
    const double normaliser = std::log(std::exp(1.0) + std::exp(2.0) + std::exp(0.5) + std::exp(-1.0));
    EXPECT_NEAR(task_loss(kSegmentation, prediction, target).item<double>(), normaliser - (2.0 - 1.0) / 2.0,
                1e-12);
}

TEST(TaskLoss, ClassWeightsWeighThePixelsOfTheirClass) {
    auto weighted = kSegmentation;
    weighted.class_weights = {0.5, 2.0, 0.25, 3.0};
    const auto prediction = noise({1, 4, 1, 3}, 7);
    const Target target{torch::tensor({1, 3, 0}).view({1, 1, 3}),
                        torch::tensor({true, true, false}).view({1, 1, 1, 3})};
    const auto log_probabilities = prediction.log_softmax(1);
    const double expected = -(2.0 * log_probabilities[0][1][0][0].item<double>() +
                              3.0 * log_probabilities[0][3][0][1].item<double>()) /
                            5.0;
    for (const auto fidelity : {Fidelity::corrected, Fidelity::as_released})
        EXPECT_NEAR(task_loss(weighted, prediction, target, fidelity).item<double>(), expected, 1e-12);
    weighted.class_weights.assign(4, 0.1);
    EXPECT_NEAR(task_loss(weighted, prediction, target).item<double>(),
                task_loss(kSegmentation, prediction, target).item<double>(), 1e-12);
    EXPECT_EQ(task_loss(weighted, prediction, without_valid_pixels(target)).item<double>(), 0);
    weighted.class_weights.pop_back();
    EXPECT_THROW(task_loss(weighted, prediction, target), Error);
}

TEST(TaskLoss, NormalsIsOneMinusTheMeanCosineWhateverTheLengths) {
    const auto prediction = torch::tensor({2.0, 0.0, 0.0, 3.0, 0.0, 0.0}, torch::kFloat64).view({1, 3, 1, 2});
    const auto truth = torch::tensor({5.0, 1.0, 0.0, 1.0, 0.0, 0.0}, torch::kFloat64).view({1, 3, 1, 2});
    const Target target{truth, torch::ones({1, 1, 1, 2}, torch::kBool)};
    EXPECT_NEAR(task_loss(kNormals, prediction, target).item<double>(), 1.0 - (1.0 + std::sqrt(0.5)) / 2.0,
                1e-12);
}

TEST(TaskLoss, OthersAreTheMeanAbsoluteErrorOverValidPixels) {
    const auto prediction = torch::tensor({1.0, 2.0, 3.0}, torch::kFloat64).view({1, 1, 1, 3});
    const Target target{torch::tensor({1.5, 0.0, 100.0}, torch::kFloat64).view({1, 1, 1, 3}),
                        torch::tensor({true, true, false}).view({1, 1, 1, 3})};
    EXPECT_NEAR(task_loss(kDepth, prediction, target).item<double>(), 1.25, 1e-12);
    EXPECT_NEAR(task_loss(kEdges, prediction, target).item<double>(), 1.25, 1e-12);
}

TEST(TaskLoss, GradientsAgreeWithFiniteDifferences) {
    for (const auto& task : kAll) {
        const auto target = target_of(task);
        const auto prediction = prediction_of(task).requires_grad_();
        task_loss(task, prediction, target).backward();
        auto moved = prediction.detach().clone();
        auto* values = moved.data_ptr<double>();
        const auto gradient = prediction.grad().contiguous();
        constexpr double kStep = 1e-6;
        for (int64_t i = 0; i < moved.numel(); ++i) {
            const double value = values[i];
            values[i] = value + kStep;
            const double above = task_loss(task, moved, target).item<double>();
            values[i] = value - kStep;
            const double below = task_loss(task, moved, target).item<double>();
            values[i] = value;
            EXPECT_NEAR(gradient.data_ptr<double>()[i], (above - below) / (2 * kStep), 1e-8)
                << task.name << ' ' << i;
        }
    }
}

TEST(TaskLoss, InvalidPixelsHaveNoInfluence) {
    for (const auto& task : kAll) {
        auto target = target_of(task);
        const auto prediction = prediction_of(task).requires_grad_();
        const auto loss = task_loss(task, prediction, target);
        loss.backward();
        const auto invalid = ~nearest_resize(target.mask, 2, 3);
        ASSERT_TRUE(invalid.any().item<bool>() && !invalid.all().item<bool>());
        EXPECT_EQ(prediction.grad().masked_select(invalid).abs().max().item<double>(), 0.0) << task.name;
        EXPECT_GT(prediction.grad().masked_select(~invalid).abs().max().item<double>(), 0.0) << task.name;
        if (task.kind == TaskKind::segmentation)
            target.value.masked_fill_(~target.mask.squeeze(1), 255);
        else
            target.value.masked_fill_(~target.mask, std::numeric_limits<float>::quiet_NaN());
        const auto again = prediction_of(task).requires_grad_();
        const auto same = task_loss(task, again, target);
        same.backward();
        EXPECT_EQ(same.item<double>(), loss.item<double>()) << task.name;
        EXPECT_TRUE(again.grad().equal(prediction.grad())) << task.name;
    }
}

TEST(TaskLoss, BatchWithoutValidPixels) {
    for (const auto& task : kAll) {
        const auto target = without_valid_pixels(target_of(task));
        const auto prediction = prediction_of(task).requires_grad_();
        const auto loss = task_loss(task, prediction, target, Fidelity::corrected);
        loss.backward();
        EXPECT_EQ(loss.item<double>(), 0.0) << task.name;
        EXPECT_EQ(prediction.grad().abs().max().item<double>(), 0.0) << task.name;
        EXPECT_TRUE(std::isnan(task_loss(task, prediction, target, Fidelity::as_released).item<double>()))
            << task.name;
    }
}

TEST(TaskLoss, FidelitiesAgreeOtherwise) {
    for (const auto& task : kAll) {
        const auto target = target_of(task);
        EXPECT_EQ(task_loss(task, prediction_of(task), target, Fidelity::corrected).item<double>(),
                  task_loss(task, prediction_of(task), target, Fidelity::as_released).item<double>());
    }
}

TEST(TaskLoss, HalfPrecisionPredictionsAreComparedInSinglePrecision) {
    for (const auto& task : kAll) {
        const auto half = prediction_of(task).to(torch::kBFloat16);
        const auto loss = task_loss(task, half, target_of(task));
        EXPECT_EQ(loss.scalar_type(), torch::kFloat32);
        EXPECT_EQ(loss.item<float>(),
                  task_loss(task, half.to(torch::kFloat32), target_of(task)).item<float>());
    }
}

TEST(TaskLoss, RejectsShapesThatDoNotFit) {
    for (const auto& task : kAll) {
        const auto target = target_of(task);
        EXPECT_THROW(task_loss(task, noise({2, task.channels + 1, 2, 3}, 1), target), Error);
        EXPECT_THROW(task_loss(task, noise({3, task.channels, 2, 3}, 1), target), Error);
        EXPECT_THROW(task_loss(task, prediction_of(task), {target.value, target.mask.slice(2, 0, 4)}), Error);
    }
    EXPECT_THROW(task_losses(kAll, {prediction_of(kDepth)}, {target_of(kDepth)}), Error);
}

TEST(TaskLosses, ComeInTheOrderOfTheTasks) {
    std::vector<torch::Tensor> predictions;
    std::vector<Target> targets;
    for (const auto& task : kAll) {
        predictions.push_back(prediction_of(task));
        targets.push_back(target_of(task));
    }
    const auto losses = task_losses(kAll, predictions, targets);
    for (size_t t = 0; t < kAll.size(); ++t)
        EXPECT_EQ(losses[t].item<double>(), task_loss(kAll[t], predictions[t], targets[t]).item<double>());
}

}  // namespace
}  // namespace mtlprune::losses_test
