#include "training/callbacks/weight_average.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>

#include "base/error.h"
#include "tests/training/tiny_training.h"

namespace mtlprune::weight_average_test {
namespace {

TrainerOptions sgd(int64_t iterations) {
    TrainerOptions options;
    options.optimizer = {.kind = OptimizerKind::sgd, .lr = 0.05, .weight_decay = 0.0, .momentum = 0.9};
    options.iterations = iterations;
    return options;
}

/// Writes the weights down after every step.
class Weights : public Callback {
  public:
    std::string name() const override { return "weights"; }
    void after_step(Trainer& trainer) override {
        history.emplace_back();
        for (const auto& parameter : trainer.model().parameters())
            history.back().push_back(parameter.detach().to(torch::kDouble).clone());
    }
    std::vector<std::vector<torch::Tensor>> history;
};

TEST(WeightAverage, IsItsRecurrence) {
    constexpr double kDecay = 0.35;  // the ramp reaches it after 4 iterations
    const auto model = tiny_model();
    std::vector<torch::Tensor> expected;
    for (const auto& parameter : model->parameters())
        expected.push_back(parameter.detach().to(torch::kDouble).clone());
    const auto average = std::make_shared<WeightAverage>(model, kDecay);
    const auto weights = std::make_shared<Weights>();
    Trainer(model, sgd(8), {average, weights}).run(tiny_batches());
    for (size_t n = 0; n < 8; ++n) {
        const double ramp = (1.0 + static_cast<double>(n)) / (10.0 + static_cast<double>(n));
        const double decay = std::min(kDecay, ramp);
        for (size_t i = 0; i < expected.size(); ++i)
            expected[i] = decay * expected[i] + (1.0 - decay) * weights->history[n][i];
    }
    for (size_t i = 0; i < expected.size(); ++i)
        EXPECT_TRUE(torch::allclose(average->averages()[i].to(torch::kDouble), expected[i], 1e-5, 1e-7));
    EXPECT_EQ(average->next_decay(), kDecay);
}

TEST(WeightAverage, IsEvaluatedAndLeavesTheTrainingAsItIs) {
    const auto plain = tiny_model(), averaged = tiny_model();
    Trainer without(plain, sgd(6));
    without.run(tiny_batches());
    const auto average = std::make_shared<WeightAverage>(averaged, 0.99);
    Trainer trainer(averaged, sgd(6), {average});
    const auto next = tiny_batches();
    trainer.run([&] {
        const auto before = copied(module_state(*averaged));
        const auto expected = average->averages();
        try {
            const EvaluatedWeights weights(trainer);
            for (size_t i = 0; i < expected.size(); ++i)
                EXPECT_TRUE(averaged->parameters()[i].equal(expected[i]));
            throw Error("an evaluation that fails");
        } catch (const Error&) {
        }
        for (const auto& [name, tensor] : module_state(*averaged)) EXPECT_TRUE(tensor.equal(before.at(name)));
        return next();
    });
    for (const auto& [name, tensor] : module_state(*averaged))
        EXPECT_TRUE(tensor.equal(module_state(*plain).at(name))) << name;
}

TEST(WeightAverage, FollowsChannelsThatLeaveOrBecomeZero) {
    const auto model = tiny_model();
    const auto average = std::make_shared<WeightAverage>(model, 0.9);
    Trainer trainer(model, sgd(0), {average});
    trainer.step(random_batch(1, 8));
    trainer.step(random_batch(2, 8));
    const auto before = average->averages();
    auto parameters = model->parameters();
    const auto kept = torch::tensor({0, 2, 3}, torch::kLong);
    {
        const torch::NoGradGuard no_grad;
        parameters[0].set_data(parameters[0].index_select(0, kept));
        parameters[0].mutable_grad() = torch::Tensor();
    }
    EXPECT_THROW(average->after_step(trainer), Error) << "channels left without a word";
    trainer.slice_state(parameters[0], 0, kept);
    EXPECT_TRUE(average->averages()[0].equal(before[0].index_select(0, kept)));
    EXPECT_TRUE(average->averages()[1].equal(before[1]));
    average->after_step(trainer);
    const auto rows = torch::tensor({1}, torch::kLong);
    trainer.zero_state(parameters[2], 0, rows);
    EXPECT_EQ(average->averages()[2][1].abs().sum().item<float>(), 0.0F);
    EXPECT_NE(average->averages()[2][0].abs().sum().item<float>(), 0.0F);
    EXPECT_THROW(trainer.zero_state(torch::zeros(3), 0, rows), Error);
}

TEST(WeightAverage, NamesWhatItsStateLacks) {
    const auto model = tiny_model();
    WeightAverage average(model, 0.9);
    for (const auto& [name, tensor] : average.state()) {
        auto lacking = average.state();
        lacking.erase(name);
        try {
            average.load_state(lacking);
            FAIL() << name;
        } catch (const Error& error) {
            EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << error.what();
        }
    }
    auto other = average.state();
    other.rbegin()->second = torch::zeros({2, 2});
    EXPECT_THROW(average.load_state(other), Error);
    EXPECT_THROW(WeightAverage(model, 1.0), Error);
}

}  // namespace
}  // namespace mtlprune::weight_average_test
