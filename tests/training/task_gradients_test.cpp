#include "training/task_gradients.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/nn/functional/normalization.h>

#include "tests/paper_network.h"

namespace mtlprune::task_gradients_test {
namespace {

constexpr double kTolerance = 1e-12;

torch::Tensor noise(at::IntArrayRef shape, uint64_t key) {
    return torch::empty(shape, torch::kDouble).normal_(0.0, 1.0, at::detail::createCPUGenerator(key));
}

class TaskGradientsTest : public ::testing::Test {
  protected:
    TaskGradientsTest() : model_(build(config())) {
        model_->initialise(5);
        model_->to(torch::kDouble);
        model_->train();
        model_->set_dropout_key(17);
        const auto mask = noise({2, 1, 8, 8}, 4) > -1.0;
        batch_.image = noise({2, 3, 8, 8}, 1);
        batch_.targets = {{noise({2, 8, 8}, 2).abs().to(torch::kLong).clamp(0, 2), mask},
                          {torch::nn::functional::normalize(noise({2, 3, 8, 8}, 3)), mask},
                          {noise({2, 1, 8, 8}, 5).abs() + 0.5, mask}};
    }

    static PaperNetwork config() {
        PaperNetwork config;
        config.channels = {4, 5};
        config.poolings = {1};
        config.hidden = 6;
        config.dropout = 0.3;
        config.tasks = nyuv2_tasks(3);
        return config;
    }

    /// The losses of one ordinary forward pass.
    std::vector<torch::Tensor> plain_losses() {
        const auto features = model_->features(batch_.image);
        std::vector<torch::Tensor> losses;
        for (size_t t = 0; t < 3; ++t)
            losses.push_back(task_loss(model_->tasks()[t], model_->predict(t, features), batch_.targets[t]));
        return losses;
    }

    static void expect_near(const std::vector<torch::Tensor>& a, const std::vector<torch::Tensor>& b) {
        ASSERT_EQ(a.size(), b.size());
        for (size_t i = 0; i < a.size(); ++i) {
            ASSERT_EQ(a[i].sizes(), b[i].sizes()) << i;
            EXPECT_LE((a[i] - b[i]).abs().max().item<double>(), kTolerance) << i;
            EXPECT_GT(b[i].abs().max().item<double>(), 1e-6) << i << ": a zero gradient proves nothing";
        }
    }

    PaperModel model_;
    Batch batch_;
};

TEST_F(TaskGradientsTest, LossesAreThoseOfAPlainForwardPass) {
    const TaskGradients gradients(*model_, batch_);
    ASSERT_EQ(gradients.task_count(), 3u);
    const auto expected = plain_losses();
    for (int64_t t = 0; t < 3; ++t)
        EXPECT_NEAR(gradients.losses()[t].item<double>(), expected[t].item<double>(), kTolerance);
    EXPECT_FALSE(gradients.losses().requires_grad());
}

TEST_F(TaskGradientsTest, EachTasksGradientIsThatOfItsLossAlone) {
    TaskGradients gradients(*model_, batch_);
    for (size_t t : {2u, 0u, 1u})  // in any order
        expect_near(gradients.shared(t),
                    torch::autograd::grad({plain_losses()[t]}, model_->backbone().parameters()));
}

TEST_F(TaskGradientsTest, TotalIsTheSumOverTasksAndThatOfTheSummedLoss) {
    TaskGradients gradients(*model_, batch_);
    const auto total = gradients.shared_total();
    expect_near(total, sum_gradients({gradients.shared(0), gradients.shared(1), gradients.shared(2)}));
    const auto losses = plain_losses();
    expect_near(total,
                torch::autograd::grad({losses[0] + losses[1] + losses[2]}, model_->backbone().parameters()));
}

TEST_F(TaskGradientsTest, StoreGivesEveryParameterTheGradientOfTheSummedLoss) {
    TaskGradients gradients(*model_, batch_);
    gradients.store(gradients.shared_total());
    std::vector<torch::Tensor> stored;
    for (const auto& parameter : model_->parameters()) stored.push_back(parameter.grad().clone());
    const auto losses = plain_losses();
    expect_near(stored, torch::autograd::grad({losses[0] + losses[1] + losses[2]}, model_->parameters()));
}

TEST_F(TaskGradientsTest, AddGivesTheGradientOfTheLossesThatWereAdded) {
    TaskGradients gradients(*model_, batch_);
    gradients.store(gradients.shared_total());
    gradients.add(gradients.shared(2), {2});
    gradients.add(gradients.shared_total(), {0, 1, 2});
    std::vector<torch::Tensor> stored;
    for (const auto& parameter : model_->parameters()) stored.push_back(parameter.grad().clone());
    const auto losses = plain_losses();
    expect_near(stored, torch::autograd::grad({2.0 * losses[0] + 2.0 * losses[1] + 3.0 * losses[2]},
                                              model_->parameters()));
}

TEST_F(TaskGradientsTest, OwnGradientsAreThoseOfTheTasksOwnParameters) {
    TaskGradients gradients(*model_, batch_);
    for (size_t t = 0; t < 3; ++t) {
        std::vector<torch::Tensor> own;
        for (const auto& [name, parameter] : model_->parameters_of(t)) {
            EXPECT_EQ(name.rfind("heads." + model_->tasks()[t].name + ".", 0), 0U) << name;
            own.push_back(parameter);
        }
        expect_near(gradients.own(t), torch::autograd::grad({plain_losses()[t]}, own));
    }
}

TEST_F(TaskGradientsTest, GatesThatWantGradientsFollowTheParameters) {
    const std::vector<torch::Tensor> gates = {(noise({4}, 6) * 0.1 + 1.0).requires_grad_(true),
                                              noise({5}, 7).abs() + 0.5};
    model_->set_gates(gates);
    TaskGradients gradients(*model_, batch_);
    auto inputs = model_->backbone().parameters();
    inputs.push_back(gates[0]);  // the second gate wants none
    const auto losses = plain_losses();
    expect_near(gradients.shared(1), torch::autograd::grad({losses[1]}, inputs, {}, /*retain_graph=*/true));
    const auto total = gradients.shared_total();
    expect_near(total, torch::autograd::grad({losses[0] + losses[1] + losses[2]}, inputs));
    gradients.store(total);
    EXPECT_FALSE(gates[0].grad().defined());
    EXPECT_TRUE(model_->backbone().parameters().front().grad().equal(total.front()));
}

/// Two maps, each of which only one task looks at, and a shared parameter that only the second depends on.
class TwoMaps : public Model {
  public:
    TwoMaps()
        : Model({{"near", TaskKind::depth, 1}, {"far", TaskKind::depth, 1}}),
          first_(register_parameter("first", torch::full({1}, 2.0, torch::kDouble))),
          second_(register_parameter("second", torch::full({1}, 3.0, torch::kDouble))) {}
    FeatureMaps features(const torch::Tensor& image) override {
        const auto gray = image.mean(1, true);
        return {gray * first_, gray * first_ * second_};
    }
    torch::Tensor predict(size_t task, const FeatureMaps& features) override { return features[task]; }
    void initialise(uint64_t) override {}

  private:
    torch::Tensor first_, second_;
};

TEST_F(TaskGradientsTest, WhatALossDoesNotDependOnHasNoGradient) {
    TwoMaps model;
    batch_.targets = {batch_.targets[2], batch_.targets[2]};
    TaskGradients gradients(model, batch_);
    EXPECT_FALSE(gradients.shared(0)[1].defined());
    EXPECT_TRUE(gradients.shared(1)[1].defined());
    const auto total = gradients.shared_total();
    const auto sum = sum_gradients({gradients.shared(0), gradients.shared(1)});
    expect_near(total, sum);
    gradients.store(total);
    EXPECT_TRUE(model.parameters()[0].grad().equal(total[0]));
}

TEST(SumGradients, AddsListsAndLeavesThemAsTheyAre) {
    const std::vector<torch::Tensor> a = {torch::ones(2), torch::full({1}, 3.0)},
                                     b = {torch::full({2}, 10.0), torch::ones(1)},
                                     c = {torch::full({2}, 100.0), torch::zeros(1)};
    const auto sum = sum_gradients({a, b, c});
    EXPECT_TRUE(sum[0].equal(torch::full({2}, 111.0)));
    EXPECT_TRUE(sum[1].equal(torch::full({1}, 4.0)));
    EXPECT_TRUE(a[0].equal(torch::ones(2)));
    EXPECT_TRUE(b[0].equal(torch::full({2}, 10.0)));
    EXPECT_TRUE(sum_gradients({a})[0].equal(a[0]));
}

}  // namespace
}  // namespace mtlprune::task_gradients_test
