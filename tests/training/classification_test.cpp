// Loss and accuracy of image classification against values computed by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "training/evaluate.h"
#include "training/losses.h"

namespace mtlprune::classification_test {
namespace {

const TaskSpec kTask{"digit", TaskKind::classification, 3};

/// Scores of three images; the softmax of (0, ln 2, ln 3) is (1/6, 2/6, 3/6).
torch::Tensor scores() {
    return torch::tensor(
        {{0.0, std::log(2.0), std::log(3.0)}, {std::log(3.0), 0.0, std::log(2.0)}, {0.0, 0.0, 0.0}},
        torch::kFloat64);
}

Target target(const std::vector<int64_t>& classes, const std::vector<int>& known) {
    return {torch::tensor(classes, torch::kInt64), torch::tensor(known).to(torch::kBool)};
}

TEST(ClassificationLoss, IsTheMeanCrossEntropyOfImagesWithAClass) {
    const auto loss = task_loss(kTask, scores(), target({2, 1, 0}, {1, 1, 0})).item<double>();
    EXPECT_NEAR(loss, (std::log(2.0) + std::log(6.0)) / 2, 1e-12);
}

TEST(ClassificationLoss, AveragesMapsOverPositions) {
    // Positions differ by +-1 and +-delta around the scores: their mean is the scores.
    const auto map = scores().view({3, 3, 1, 1}) +
                     torch::tensor({1.0, -1.0, 0.25, -0.25}, torch::kFloat64).view({1, 1, 2, 2});
    const auto labels = target({2, 1, 0}, {1, 1, 1});
    EXPECT_NEAR(task_loss(kTask, map, labels).item<double>(),
                task_loss(kTask, scores(), labels).item<double>(), 1e-12);
}

TEST(ClassificationLoss, HasNoGradientWhereTheClassIsUnknown) {
    auto prediction = scores().requires_grad_(true);
    task_loss(kTask, prediction, target({2, 1, 0}, {1, 0, 0})).backward();
    EXPECT_EQ(prediction.grad().slice(0, 1).abs().max().item<double>(), 0);
    // softmax - one-hot of the only image that counts
    EXPECT_NEAR(prediction.grad()[0][2].item<double>(), 3.0 / 6 - 1, 1e-12);
    const auto nothing = task_loss(kTask, scores(), target({0, 0, 0}, {0, 0, 0}));
    EXPECT_EQ(nothing.item<double>(), 0);
    EXPECT_TRUE(std::isnan(
        task_loss(kTask, scores(), target({0, 0, 0}, {0, 0, 0}), Fidelity::as_released).item<double>()));
}

TEST(ClassificationLoss, NamesTheTaskOfWrongShapes) {
    const auto labels = target({2, 1, 0}, {1, 1, 1});
    EXPECT_THROW(task_loss(kTask, torch::zeros({3, 4}), labels), Error);
    EXPECT_THROW(task_loss(kTask, torch::zeros({3, 3, 2}), labels), Error);
    EXPECT_THROW(task_loss(kTask, torch::zeros({2, 3}), labels), Error);
    EXPECT_THROW(task_loss(kTask, scores(), {labels.value, torch::ones({3, 1, 1, 1}, torch::kBool)}), Error);
}

TEST(Accuracy, IsTheFractionOfImagesWithAClass) {
    const auto metrics = make_task_metrics(kTask);
    EXPECT_TRUE(std::isnan(metrics->result()[0].value));
    metrics->add(scores(), target({2, 1, 0}, {1, 1, 0}));  // right, wrong, unknown
    metrics->add(scores().view({3, 3, 1, 1}).expand({3, 3, 2, 2}),
                 target({2, 0, 1}, {1, 1, 1}));  // right, right, wrong
    const auto result = metrics->result();
    ASSERT_EQ(result.size(), 1u);
    EXPECT_EQ(result[0].name, "accuracy");
    EXPECT_EQ(result[0].task, "digit");
    EXPECT_TRUE(result[0].higher_is_better);
    EXPECT_DOUBLE_EQ(result[0].value, 3.0 / 5);
    EXPECT_EQ(metric_definitions({kTask})[0].name, "accuracy");
    EXPECT_THROW(metrics->add(scores(), target({1}, {1})), Error);
}

TEST(BestConstant, IsTheMostFrequentClass) {
    const auto batch = [](const std::vector<int64_t>& classes, const std::vector<int>& known) {
        Batch result;
        result.image = torch::zeros({static_cast<int64_t>(classes.size()), 3, 2, 2});
        result.targets = {target(classes, known)};
        return result;
    };
    const auto evaluation = evaluate_constant({kTask}, {batch({1, 1, 2, 0, 0, 0}, {1, 1, 1, 0, 0, 0})},
                                              {batch({1, 0, 1, 1}, {1, 1, 1, 0})}, {});
    EXPECT_DOUBLE_EQ(evaluation.metric("accuracy").value, 2.0 / 3);
}

}  // namespace
}  // namespace mtlprune::classification_test
