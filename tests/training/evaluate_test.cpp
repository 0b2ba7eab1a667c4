#include "training/evaluate.h"

#include <gtest/gtest.h>
#include <torch/nn/functional/normalization.h>
#include <torch/utils.h>

#include <cmath>

#include "base/error.h"
#include "tests/paper_network.h"
#include "training/losses.h"

namespace mtlprune::evaluate_test {
namespace {

torch::Tensor noise(at::IntArrayRef shape, uint64_t key) {
    return torch::empty(shape).normal_(0.0, 1.0, at::detail::createCPUGenerator(key));
}

PaperNetwork small_config() {
    PaperNetwork config;
    config.channels = {4, 5};
    config.poolings = {1};
    config.hidden = 6;
    config.tasks = nyuv2_tasks(3);
    return config;
}

PaperModel small_model() {
    auto model = build(small_config());
    model->initialise(3);
    return model;
}

Batch random_batch(int64_t size, uint64_t key) {
    Batch batch;
    batch.image = noise({size, 3, 8, 8}, key);
    const auto all = torch::ones({size, 1, 8, 8}, torch::kBool);
    batch.targets = {{noise({size, 8, 8}, key + 1).abs().to(torch::kLong).clamp(0, 2), all},
                     {torch::nn::functional::normalize(noise({size, 3, 8, 8}, key + 2)), all},
                     {noise({size, 1, 8, 8}, key + 3).abs() + 0.5, all}};
    return batch;
}

/// A 1 x n image row with these classes (255 = ignored), normals along one axis each (-1 = masked) and depths
/// (0 = missing).
Batch row(const std::vector<int64_t>& classes, const std::vector<int64_t>& axes,
          const std::vector<float>& depths) {
    const auto n = static_cast<int64_t>(classes.size());
    Batch batch;
    batch.image = torch::zeros({1, 3, 1, n});
    const auto segmentation = torch::tensor(classes).view({1, 1, n});
    auto normals = torch::zeros({1, 3, 1, n});
    auto facing = torch::zeros({1, 1, 1, n}, torch::kBool);
    for (int64_t x = 0; x < n; ++x) {
        if (axes[x] < 0) continue;
        normals[0][axes[x]][0][x] = 1.0;
        facing[0][0][0][x] = true;
    }
    const auto depth = torch::tensor(depths).view({1, 1, 1, n});
    batch.targets = {
        {segmentation, (segmentation != 255).unsqueeze(1)}, {normals, facing}, {depth, depth > 0}};
    return batch;
}

TEST(Evaluate, RestoresTheModeAndUsesNoDropout) {
    auto model = small_model();
    const std::vector<Batch> batches = {random_batch(2, 10)};
    model->train();
    model->set_dropout_key(1);
    const auto first = evaluate(*model, batches, {});
    EXPECT_TRUE(model->is_training());
    model->set_dropout_key(2);
    const auto second = evaluate(*model, batches, {});
    EXPECT_EQ(first.losses, second.losses);
    model->eval();
    const auto third = evaluate(*model, batches, {});
    EXPECT_FALSE(model->is_training());
    EXPECT_EQ(first.losses, third.losses);
    for (const auto& parameter : model->parameters()) EXPECT_FALSE(parameter.grad().defined());
}

TEST(Evaluate, LossesAreMeansOverBatchesAndMetricsPoolTheSplit) {
    auto model = small_model();
    const std::vector<Batch> batches = {random_batch(3, 10), random_batch(1, 20)};
    const auto result = evaluate(*model, batches, {});
    model->eval();
    const torch::NoGradGuard no_grad;
    const auto tasks = model->tasks();
    size_t m = 0;
    for (size_t t = 0; t < tasks.size(); ++t) {
        auto metrics = make_task_metrics(tasks[t], Fidelity::corrected);
        double loss = 0.0;
        for (const auto& batch : batches) {
            const auto prediction = model->forward(batch.image)[t];
            metrics->add(prediction, batch.targets[t]);
            loss += task_loss(tasks[t], prediction, batch.targets[t]).item<double>() / 2.0;
        }
        EXPECT_NEAR(result.losses.at(t), loss, 1e-6);
        for (const auto& expected : metrics->result()) {
            EXPECT_EQ(result.metrics.at(m).name, expected.name);
            EXPECT_NEAR(result.metrics.at(m++).value, expected.value, 1e-5) << expected.name;
        }
    }
    EXPECT_EQ(m, 12u);
    EXPECT_NEAR(result.total_loss(), result.losses[0] + result.losses[1] + result.losses[2], 1e-12);
}

TEST(Evaluate, ClosedGatesHideTheImage) {
    auto model = small_model();
    const std::vector<torch::Tensor> closed = {torch::ones({4}), torch::zeros({5})};
    auto batch = random_batch(2, 10);
    model->set_gates(closed);
    const auto one = evaluate(*model, {batch}, {});
    batch.image = noise({2, 3, 8, 8}, 99);
    const auto other = evaluate(*model, {batch}, {});
    EXPECT_EQ(one.losses, other.losses);
    model->set_gates({});
    EXPECT_NE(one.losses, evaluate(*model, {batch}, {}).losses);
}

TEST(Evaluate, MetricByNameSuggestsTheNearest) {
    const Evaluation evaluation{
        {1.0},
        {{{.name = "miou", .task = "segmentation"}, 0.25}, {{.name = "abs_err", .task = "depth"}, 0.5}}};
    EXPECT_EQ(evaluation.metric("abs_err").value, 0.5);
    try {
        evaluation.metric("abs_er");
        FAIL();
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("'abs_err'"), std::string::npos) << error.what();
    }
}

TEST(EvaluateConstant, FitsModeMeanAndMedianOfTheTrainingSplit) {
    // Class 2 is most frequent although 255 is more so; the normals' sum is (3, 4, 0), the direction (0.6,
    // 0.8, 0); the valid depths' median is 2.
    const std::vector<Batch> train = {
        row({2, 2, 1, 255, 255, 255, 255}, {0, 0, 0, 1, 1, -1, -1}, {1, 2, 9, 0, 0, 0, 0}),
        row({2, 0, 1, 255, 255, 255, 255}, {1, 1, -1, -1, -1, -1, -1}, {2, 2.5, 0, 0, 0, 0, 0})};
    const std::vector<Batch> test = {row({2, 1, 2, 255}, {0, 1, -1, -1}, {2, 4, 0, 1}),
                                     row({0, 2, 255, 255}, {2, -1, -1, -1}, {2, 2, 0, 0})};
    const auto result = evaluate_constant(nyuv2_tasks(3), train, test, {});
    EXPECT_NEAR(result.metric("pixel_accuracy").value, 3.0 / 5.0, 1e-9);
    // IoU: class 2 3/5, classes 0 and 1 never predicted.
    EXPECT_NEAR(result.metric("miou").value, 0.2, 1e-9);
    const double degrees = 180.0 / std::acos(-1.0);
    EXPECT_NEAR(result.metric("angle_mean").value,
                (std::acos(0.6) + std::acos(0.8) + std::acos(0.0)) * degrees / 3.0, 1e-4);
    EXPECT_NEAR(result.metric("abs_err").value, (0.0 + 2.0 + 1.0 + 0.0 + 0.0) / 5.0, 1e-6);
    EXPECT_NEAR(result.metric("rel_err").value, (0.0 + 0.5 + 1.0 + 0.0 + 0.0) / 5.0, 1e-6);
    EXPECT_NEAR(result.metric("delta1").value, 60.0, 1e-6);
}

}  // namespace
}  // namespace mtlprune::evaluate_test
