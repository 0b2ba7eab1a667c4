// Six training steps of the released code with each of its optimisers, without pruning. Inputs and expected
// values are read from the golden folder; the optimisers' settings are those of the golden README.
#include <gtest/gtest.h>

#include "tests/golden_data.h"
#include "training/losses.h"
#include "training/optimizer.h"

namespace mtlprune::optimizer_golden_test {
namespace {

struct Trajectory {
    torch::Tensor losses;  ///< [7,3]: before each step, and batch 0 after the last
    MultiTaskModel model;
};

Trajectory train(const OptimizerConfig& config) {
    auto model = golden_model();
    const auto optimizer = make_optimizer(model->parameters(), config);
    constexpr int kSteps = 6;
    auto losses = torch::empty({kSteps + 1, 3});
    for (int step = 0; step <= kSteps; ++step) {
        const auto batch = golden_batch(step % kSteps);
        const auto row =
            torch::stack(task_losses(model->config().tasks, model->forward(batch.image), batch.targets));
        losses[step].copy_(row.detach());
        if (step == kSteps) break;
        optimizer->zero_grad();
        row.sum().backward();
        optimizer->step();
    }
    return {losses, model};
}

/// The final parameters, imported like any released state.
MultiTaskModel expected_model(const TensorMap& golden, const std::string& name) {
    const std::string prefix = name + ".final.";
    TensorMap weights;
    for (const auto& [key, tensor] : golden)
        if (key.rfind(prefix, 0) == 0) weights[key.substr(prefix.size())] = tensor;
    MultiTaskModel model(released_config(weights));
    import_released_weights(model, weights);
    return model;
}

void expect_trajectory(const std::string& name, const OptimizerConfig& config) {
    const auto golden = golden_pt("optim_traj.pt");
    const auto found = train(config);
    EXPECT_TRUE(torch::allclose(found.losses, golden.at(name + ".losses"), 1e-5, 0)) << found.losses;
    auto expected = expected_model(golden, name);
    const auto parameters = found.model->named_parameters();
    const auto start = golden_model()->named_parameters();
    for (const auto& item : expected->named_parameters()) {
        const auto difference = parameters[item.key()] - item.value();
        const auto movement = item.value() - start[item.key()];
        // Adam divides by the gradient's own size, which magnifies the rounding of gradients near zero.
        EXPECT_LT(difference.abs().max().item<double>(), 0.1 * config.lr) << item.key();
        EXPECT_LT(difference.norm().item<double>(), 5e-4 * movement.norm().item<double>()) << item.key();
    }
}

TEST(GoldenOptimizer, AdamOfTheBaseTraining) {
    MTLPRUNE_REQUIRE_GOLDEN();
    expect_trajectory("adam_base", default_optimizer(OptimizerKind::adam));
}

TEST(GoldenOptimizer, AdamWOfThePruningPhase) {
    MTLPRUNE_REQUIRE_GOLDEN();
    expect_trajectory("adamw_prune", default_optimizer(OptimizerKind::adamw));
}

}  // namespace
}  // namespace mtlprune::optimizer_golden_test
