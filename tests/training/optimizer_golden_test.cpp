// Six training steps of the released code with each of its optimisers, without pruning. Inputs and expected
// values are read from the golden folder; the optimisers' settings are those of the golden README.
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "tests/float32_allowance.h"
#include "training/losses.h"
#include "training/optimizer.h"

namespace mtlprune::optimizer_golden_test {
namespace {

constexpr int kSteps = 6;

struct Trajectory {
    torch::Tensor losses;  ///< [steps + 1,3]: before each step, and after the last
    PaperModel model;
};

/// Trains in double precision, one step per entry of `draws`: the noise in the weights of its gradients.
Trajectory train(const OptimizerConfig& config, const std::vector<int>& draws) {
    auto model = golden_double_model();
    const auto optimizer = make_optimizer(model->parameters(), config);
    const auto losses_of = [&](size_t step) {
        const auto batch = golden_double_batch(static_cast<int>(step) % kSteps);
        return torch::stack(task_losses(model->tasks(), model->forward(batch.image), batch.targets));
    };
    std::vector<torch::Tensor> losses;
    for (size_t step = 0; step < draws.size(); ++step) {
        {
            const NoisyWeights noise(model, draws[step], static_cast<int64_t>(step));
            const auto row = losses_of(step);
            optimizer->zero_grad();
            row.sum().backward();
            losses.push_back(row.detach());
        }
        optimizer->step();
    }
    losses.push_back(losses_of(draws.size()).detach());
    return {torch::stack(losses), model};
}

/// The final parameters, imported like any released state.
PaperModel expected_model(const TensorMap& golden, const std::string& name) {
    const std::string prefix = name + ".final.";
    TensorMap weights;
    for (const auto& [key, tensor] : golden)
        if (key.rfind(prefix, 0) == 0) weights[key.substr(prefix.size())] = tensor;
    return released_network(weights).model;
}

/// Looks for the branch of the released trajectory. A near-tie (of the last max-poolings, say) that its
/// float32 decided otherwise than double precision moves all later losses by far more than rounding:
/// trajectories fork. So each step is tried exactly, then with noise in the weights, until the losses after
/// it are the released ones.
class BranchSearch {
  public:
    BranchSearch(const OptimizerConfig& config, const torch::Tensor& released)
        : config_(config), released_(released.to(torch::kDouble)) {}

    /// The trajectory with all released losses, if there is one.
    std::optional<Trajectory> run() { return extend({}); }
    /// The most steps after which the losses were the released ones.
    size_t followed() const { return followed_; }

  private:
    static constexpr int kTrialsPerStep = 12;
    static constexpr int kTrials = 60;
    /// Rounding moves the losses of given weights by 3e-6 of themselves (kWeightNoise moves them that far),
    /// and the weights of a branch by as little.
    static constexpr double kLossTolerance = 1e-5;

    std::optional<Trajectory> extend(const std::vector<int>& draws) {
        for (int draw = 0; draw < kTrialsPerStep && trials_ < kTrials; ++draw) {
            auto longer = draws;
            longer.push_back(draw);
            ++trials_;
            auto found = train(config_, longer);
            const auto expected = released_.slice(0, 0, found.losses.size(0));
            if (!torch::allclose(found.losses, expected, kLossTolerance, 0)) continue;
            followed_ = std::max(followed_, longer.size());
            if (longer.size() == kSteps) return found;
            if (auto whole = extend(longer)) return whole;
        }
        return std::nullopt;
    }

    OptimizerConfig config_;
    torch::Tensor released_;
    int trials_ = 0;
    size_t followed_ = 0;
};

/// The value that the given share of the elements, all but one at most, does not exceed.
double limit_of(const torch::Tensor& values, double share) {
    const auto count = static_cast<double>(values.numel());
    return std::get<0>(values.flatten().kthvalue(std::max<int64_t>(1, std::llround(share * count) - 1)))
        .item<double>();
}

/// Final parameters of the released float32 against those of its branch, relative to lr:
///  * Released steps round a parameter (by at most 2^-24 of it) twice and, with decoupled decay, the factor
///    1 - lr * decay once. This is subtracted.
///  * The rest is 2e-5 at most but for 1 element in 1000. 1e-3 is required of 95 % of all elements: the
///  others
///    may lie behind a near-tie that the losses do not show, which only the first layers, of few elements,
///    do.
///  * Such a tie changes one of 2*48*48 terms of a gradient (2 images, the first pooling), whose sum is
///    typically sqrt(2*48*48) = 68 of them. Six steps that are off by 1/68 make 0.1.
///  * Adam divides by the gradient's own size: where the first gradient rounds to the other side of zero, the
///    element moves the other way. That is allowed to one element, and one of 200, of each tensor.
///  * No six steps of Adam are longer than 1.5 each (Cauchy-Schwarz on its means).
void expect_parameters(PaperModel& found, PaperModel& released, double lr) {
    const auto parameters = found->named_parameters();
    std::vector<torch::Tensor> all;
    for (const auto& item : released->named_parameters()) {
        const auto exact = parameters[item.key()].detach();
        const auto rounding = exact.abs() * (3.0 * kSteps / (1 << 24));
        const auto difference = (item.value().detach().to(torch::kDouble) - exact).abs() - rounding;
        EXPECT_LT(limit_of(difference, 0.995), 0.1 * lr) << item.key();
        EXPECT_LT(difference.max().item<double>(), 2 * 1.5 * kSteps * lr) << item.key();
        all.push_back(difference.flatten());
    }
    EXPECT_LT(limit_of(torch::cat(all), 0.95), 1e-3 * lr);
}

void expect_trajectory(const std::string& name, const OptimizerConfig& config) {
    const auto golden = golden_pt("optim_traj.pt");
    BranchSearch search(config, golden.at(name + ".losses"));
    auto found = search.run();
    ASSERT_TRUE(found) << "no branch has the released losses after step " << search.followed() + 1;
    auto released = expected_model(golden, name);
    expect_parameters(found->model, released, config.lr);
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
