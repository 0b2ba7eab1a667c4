// The training loop and what may happen beside it.
#include "training/trainer.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include "base/error.h"
#include "tests/training/tiny_training.h"

namespace mtlprune::trainer_test {
namespace {

PaperModel small_model(double dropout = 0.3) {
    return tiny_model(dropout);
}

Batch batch(int64_t number) {
    return random_batch(static_cast<uint64_t>(number), 8);
}

TrainerOptions options(int64_t iterations) {
    TrainerOptions options;
    options.optimizer.lr = 0.01;
    options.learning_rate_schedule.kind = LearningRateKind::cosine;
    options.learning_rate_schedule.t_max = 8;
    options.iterations = iterations;
    options.seed = 7;
    return options;
}

/// Batch 0, 1, ... from an iteration on.
Trainer::NextBatch batches(int64_t from) {
    return [next = from]() mutable { return batch(next++); };
}

void expect_equal(const TensorMap& a, const TensorMap& b) {
    ASSERT_EQ(a.size(), b.size());
    for (const auto& [name, value] : a) EXPECT_TRUE(value.equal(b.at(name))) << name;
}

/// Writes down when it is called, and may stop.
class Diary : public Callback {
  public:
    explicit Diary(int64_t stop_after = -1) : stop_after(stop_after) {}
    std::string name() const override { return "diary"; }
    void between_steps(Trainer& trainer) override {
        text += "|" + std::to_string(trainer.iteration());
        if (trainer.iteration() == stop_after) trainer.stop();
    }
    void after_gradients(TrainingStep& step) override {
        text += step.task_gradients.empty() ? "g" : "G";
        for (const auto& parameter : step.trainer.model().parameters())
            EXPECT_TRUE(parameter.grad().defined());
    }
    void after_step(Trainer& trainer) override { text += "s" + std::to_string(trainer.iteration()); }
    TensorMap state() const override { return {{"text", text_tensor(text)}}; }
    void load_state(const TensorMap& state) override { text = tensor_text(state.at("text")); }
    std::string text;
    int64_t stop_after;
};

TEST(Trainer, CallsBackInTheStatedOrder) {
    const auto diary = std::make_shared<Diary>();
    Trainer(small_model(), options(2), {diary}).run(batches(0));
    EXPECT_EQ(diary->text, "|0gs1|1gs2|2");
}

TEST(Trainer, StopsWhenACallbackSaysSo) {
    const auto diary = std::make_shared<Diary>(1);
    Trainer trainer(small_model(), options(3), {diary});
    trainer.run(batches(0));
    EXPECT_EQ(diary->text, "|0gs1|1");
    diary->text.clear();
    diary->stop_after = -1;
    trainer.run(batches(1));
    EXPECT_EQ(diary->text, "|1gs2|2gs3|3");
}

/// The same steps written out with LibTorch alone.
TEST(Trainer, EqualsAPlainLoop) {
    const auto model = small_model(0.0), plain = small_model(0.0);
    Trainer trainer(model, options(5));
    trainer.run(batches(0));
    const auto optimizer = make_optimizer(plain->parameters(), options(5).optimizer);
    for (int64_t i = 0; i < 5; ++i) {
        set_learning_rate(*optimizer, learning_rate(options(5).learning_rate_schedule, 0.01, i));
        const auto losses = task_losses(plain->tasks(), plain->forward(batch(i).image), batch(i).targets);
        optimizer->zero_grad();
        (losses[0] + losses[1] + losses[2]).backward();
        optimizer->step();
    }
    for (size_t i = 0; i < model->parameters().size(); ++i)
        EXPECT_TRUE(torch::allclose(model->parameters()[i], plain->parameters()[i], 1e-3, 1e-5)) << i;
}

TEST(Trainer, ResumesExactly) {
    Trainer whole(small_model(), options(6), {std::make_shared<Diary>()});
    whole.run(batches(0));
    const auto first_diary = std::make_shared<Diary>(3);
    Trainer first(small_model(), options(6), {first_diary});
    first.run(batches(0));
    TensorMap saved;
    for (const auto& [name, value] : first.state()) saved[name] = value.clone();
    Trainer resumed(small_model(), options(6), {std::make_shared<Diary>()});
    resumed.load_state(saved);
    EXPECT_EQ(resumed.iteration(), 3);
    resumed.run(batches(3));
    auto expected = whole.state(), found = resumed.state();
    EXPECT_EQ(tensor_text(found.at("diary.text")), "|0gs1|1gs2|2gs3|3|3gs4|4gs5|5gs6|6");
    expected.erase("diary.text");
    found.erase("diary.text");
    expect_equal(expected, found);
}

TEST(Trainer, NamesWhatACheckpointLacks) {
    Trainer trainer(small_model(), options(2));
    auto state = trainer.state();
    state.erase("model.backbone.conv2.bias");
    try {
        trainer.load_state(state);
        FAIL();
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("backbone.conv2.bias"), std::string::npos) << error.what();
    }
}

TEST(Trainer, PhasesOfOneSeedDrawOtherDropoutMasks) {
    auto second = options(1);
    second.phase = 1;
    const auto loss = [](const TrainerOptions& options) {
        return Trainer(small_model(), options).step(batch(0));
    };
    EXPECT_TRUE(loss(options(1)).equal(loss(options(1))));
    EXPECT_FALSE(loss(options(1)).equal(loss(second)));
}

/// strength / 2 times the squared norm of all weights, whose gradient is strength times them.
class WeightPenalty : public Callback {
  public:
    std::string name() const override { return "penalty"; }
    bool needs_task_gradients() const override { return true; }
    torch::Tensor extra_loss(Trainer& trainer) override {
        torch::Tensor sum = torch::zeros({});
        for (const auto& parameter : trainer.model().parameters())
            sum = sum + 0.25 * parameter.square().sum();
        return sum;
    }
    void after_gradients(TrainingStep& step) override {
        total = step.total;
        per_task = step.task_gradients;
    }
    std::vector<torch::Tensor> total;
    std::vector<std::vector<torch::Tensor>> per_task;
};

TEST(Trainer, AnExtraLossAddsItsGradientAndLeavesTheTasksAsTheyAre) {
    const auto model = small_model(0.0), plain = small_model(0.0);
    const auto penalty = std::make_shared<WeightPenalty>();
    Trainer(model, options(1), {penalty}).take_gradients(batch(0));
    Trainer(plain, options(1)).take_gradients(batch(0));
    for (size_t i = 0; i < model->parameters().size(); ++i) {
        const torch::Tensor weight = model->parameters()[i];
        EXPECT_TRUE(torch::allclose(weight.grad(), plain->parameters()[i].grad() + 0.5 * weight, 1e-4, 1e-6))
            << i;
    }
    const auto shared = plain->shared_parameters();
    ASSERT_EQ(penalty->per_task.size(), 3U);
    for (size_t i = 0; i < shared.size(); ++i)
        EXPECT_TRUE(torch::allclose(penalty->total[i], shared[i].second.grad(), 1e-4, 1e-6))
            << shared[i].first;
}

}  // namespace
}  // namespace mtlprune::trainer_test
