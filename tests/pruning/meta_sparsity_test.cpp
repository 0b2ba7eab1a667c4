// Meta-sparsity: the derivative by the penalty's strength, and the loop around it, on least squares.
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "pruning/regularizers/meta_step.h"
#include "pruning/surgery/surgery.h"
#include "tests/pruning/regularized_run.h"

namespace mtlprune::meta_sparsity_test {
namespace {

torch::Tensor random(at::IntArrayRef shape, uint64_t key) {
    return noise(shape, key, torch::kDouble);
}

/// 1/2 ||X W - Y||^2 of rows W [6, 4].
struct LeastSquares {
    torch::Tensor x, y;
    explicit LeastSquares(uint64_t key) : x(random({9, 6}, key)), y(random({9, 4}, key + 1)) {}
    double loss(const torch::Tensor& w) const { return 0.5 * (x.mm(w) - y).square().sum().item<double>(); }
    torch::Tensor gradient(const torch::Tensor& w) const { return x.t().mm(x.mm(w) - y); }
};

TEST(MetaSparsity, SlopesAreTheDerivativesByTheStrength) {
    const LeastSquares training(1), validation(3);
    const double alpha = 0.02, factor = 2.0, width = 1e-5;
    for (const bool proximal : {false, true})
        for (const bool some_dead : {false, true}) {
            auto w = random({6, 4}, 7);
            if (some_dead && !proximal) w[2].zero_();
            const double lambda = some_dead && proximal ? 40.0 : 0.5;
            const auto gradient = training.gradient(w);
            const auto at = [&](double strength) {
                return validation.loss(inner_step(w, gradient, alpha, strength, factor, proximal).weights);
            };
            const auto step = inner_step(w, gradient, alpha, lambda, factor, proximal);
            const double found = (step.slope * validation.gradient(step.weights)).sum().item<double>();
            const double expected = (at(lambda + width) - at(lambda - width)) / (2 * width);
            EXPECT_NEAR(found, expected, 1e-6 * std::abs(expected)) << proximal << some_dead;
            const auto flat = (step.slope.abs().sum(1) == 0.0).sum().item<int64_t>();
            EXPECT_EQ(flat > 0, some_dead) << proximal;
            EXPECT_LT(flat, 6);
            if (proximal && some_dead) {
                EXPECT_EQ((step.weights.abs().sum(1) == 0.0).sum().item<int64_t>(), flat);
            }
        }
}

TEST(MetaSparsity, AnInnerStepIsTheFormula) {
    const auto w = random({3, 2}, 4), g = random({3, 2}, 5);
    const double alpha = 0.1, lambda = 3.0, factor = 2.0;
    const auto plain = inner_step(w, g, alpha, lambda, factor, false).weights;
    const auto proximal = inner_step(w, g, alpha, lambda, factor, true).weights;
    for (int64_t row = 0; row < 3; ++row) {
        const double norm = w[row].norm().item<double>();
        const auto y = w[row] - alpha * g[row];
        const double shrink = std::max(0.0, 1.0 - alpha * lambda * factor / y.norm().item<double>());
        EXPECT_TRUE(torch::allclose(plain[row], w[row] - alpha * (g[row] + lambda * factor * w[row] / norm)));
        EXPECT_TRUE(torch::allclose(proximal[row], y * shrink));
    }
}

/// Shrinking cannot help at a minimum of what is validated: X'X = 1, W = X'Y.
TEST(MetaSparsity, TheDerivativeIsNotNegativeAtAMinimum) {
    const auto w = random({6, 4}, 2);
    const double alpha = 1e-3;
    for (const bool proximal : {false, true}) {
        const auto step = inner_step(w, torch::zeros_like(w), alpha, 0.5, 2.0, proximal);
        // The loss is 1/2 ||W - W0||^2 up to a constant.
        EXPECT_GT((step.slope * (step.weights - w)).sum().item<double>(), 0.0);
    }
}

TEST(MetaSparsity, EpisodesAreSetsOfTwoOrMoreTasks) {
    const auto subsets = task_subsets(4);
    ASSERT_EQ(subsets.size(), 11U);
    for (size_t task = 0; task < 4; ++task) {
        int64_t count = 0;
        for (const auto& subset : subsets) count += std::count(subset.begin(), subset.end(), task);
        EXPECT_EQ(count, 7);
    }
    EXPECT_EQ(task_subsets(2), (std::vector<std::vector<size_t>>{{0, 1}}));
    EXPECT_EQ(task_subsets(1), (std::vector<std::vector<size_t>>{{0}}));
}

/// Input channels of a convolution [4, 6, 1, 1] whose rows solve a least-squares problem per task, and a
/// parameter without penalty.
struct Toy {
    torch::Tensor weight = random({4, 6, 1, 1}, 11), other = random({5}, 12);
    std::vector<LeastSquares> training, validation;
    ChannelSlices slices{"weight", weight, 1, 1, 1, torch::arange(6), 6, 4};

    Toy() {
        for (uint64_t t = 0; t < 3; ++t) {
            training.emplace_back(100 + 10 * t);
            validation.emplace_back(200 + 10 * t);
        }
    }
    static std::vector<torch::Tensor> gradients_at(const std::vector<LeastSquares>& problems,
                                                   const torch::Tensor& weight, const torch::Tensor& other,
                                                   const std::vector<size_t>& tasks) {
        auto of_weight = torch::zeros({6, 4}, torch::kDouble), of_other = torch::zeros({5}, torch::kDouble);
        for (const size_t t : tasks) {
            of_weight = of_weight + problems[t].gradient(weight.view({4, 6}).t());
            of_other = of_other + other * (1.0 + static_cast<double>(t));
        }
        return {of_weight.t().reshape({4, 6, 1, 1}), of_other};
    }
    LossGradients gradients(const std::vector<LeastSquares>& problems) {
        return [this, &problems](const std::vector<size_t>& tasks) {
            return gradients_at(problems, weight, other, tasks);
        };
    }
    MetaStep step(const std::vector<std::vector<size_t>>& episodes, const MetaOptions& options,
                  double lambda = 0.3) {
        return meta_step({weight, other}, {{0, &slices}}, episodes, lambda, gradients(training),
                         gradients(validation), options);
    }
};

/// By its definition, without any of the loop's parts: the weight after an inner step.
torch::Tensor moved(const torch::Tensor& weight, const torch::Tensor& gradient, double alpha, double lambda,
                    bool proximal) {
    auto after = weight - alpha * gradient;
    for (int64_t j = 0; j < 6; ++j) {
        if (proximal) {
            const double norm = after.select(1, j).norm().item<double>();
            after.select(1, j).mul_(std::max(0.0, 1.0 - alpha * lambda * std::sqrt(4.0) / norm));
        } else {
            const auto column = weight.select(1, j);
            after.select(1, j).sub_(alpha * lambda * std::sqrt(6.0) * column / column.norm());
        }
    }
    return after;
}

TEST(MetaStep, IsTheSlowLoop) {
    const auto episodes = task_subsets(3);
    for (const bool proximal : {false, true}) {
        Toy toy;
        const auto weight = toy.weight.clone(), other = toy.other.clone();
        const MetaOptions options{.alpha = 0.01, .proximal = proximal};
        const auto found = toy.step(episodes, options);
        EXPECT_TRUE(torch::equal(toy.weight, weight) && torch::equal(toy.other, other)) << "not given back";
        const auto validation_loss = [&](double lambda) {
            double sum = 0.0;
            for (const auto& set : episodes) {
                const auto gradient = Toy::gradients_at(toy.training, weight, other, set)[0];
                const auto after = moved(weight, gradient, 0.01, lambda, proximal).view({4, 6}).t();
                for (const size_t t : set) sum += toy.validation[t].loss(after) / 4.0;
            }
            return sum;
        };
        const double expected = (validation_loss(0.3 + 1e-5) - validation_loss(0.3 - 1e-5)) / 2e-5;
        EXPECT_NEAR(found.slope, expected, 1e-6 * std::abs(expected)) << proximal;
        auto of_weight = torch::zeros_like(weight), of_other = torch::zeros_like(other);
        for (const auto& set : episodes) {
            const auto inner = Toy::gradients_at(toy.training, weight, other, set);
            const auto after = moved(weight, inner[0], 0.01, 0.3, proximal);
            const auto outer = Toy::gradients_at(toy.validation, after, other - 0.01 * inner[1], set);
            of_weight = of_weight + outer[0] / 4.0;
            of_other = of_other + outer[1] / 4.0;
        }
        EXPECT_TRUE(torch::allclose(found.gradients[0], of_weight, 1e-12, 1e-12)) << proximal;
        EXPECT_TRUE(torch::allclose(found.gradients[1], of_other, 1e-12, 1e-12)) << proximal;
    }
}

TEST(MetaStep, SharedSnapshotsAreOneWalkThroughTheEpisodes) {
    Toy toy;
    auto weight = toy.weight.clone(), other = toy.other.clone();
    const auto episodes = task_subsets(3);
    const auto found = toy.step(episodes, {.alpha = 0.01, .shared_snapshots = true, .summed = true});
    for (const auto& set : episodes) {
        const auto inner = Toy::gradients_at(toy.training, weight, other, set);
        weight = moved(weight, inner[0], 0.01, 0.3, false);
        other = other - 0.01 * inner[1];
    }
    EXPECT_TRUE(torch::allclose(toy.weight, weight, 1e-12, 1e-12));
    EXPECT_TRUE(torch::allclose(toy.other, other, 1e-12, 1e-12));
    auto sum = torch::zeros_like(weight);
    for (const auto& set : episodes) sum = sum + Toy::gradients_at(toy.validation, weight, other, set)[0];
    EXPECT_TRUE(torch::allclose(found.gradients[0], sum, 1e-12, 1e-12));
}

TEST(MetaStep, TheOrderOfEpisodesMattersToSharedSnapshotsAlone) {
    auto forward = task_subsets(3), backward = forward;
    std::reverse(backward.begin(), backward.end());
    for (const bool shared : {false, true}) {
        Toy first, second;
        const MetaOptions options{.alpha = 0.01, .shared_snapshots = shared};
        const auto a = first.step(forward, options), b = second.step(backward, options);
        EXPECT_EQ(torch::allclose(a.gradients[0], b.gradients[0], 1e-12, 1e-12), !shared);
        EXPECT_EQ(std::abs(a.slope - b.slope) < 1e-12 * std::abs(a.slope), !shared);
    }
}

TEST(MetaStep, WithoutAnInnerStepItIsJointTraining) {
    Toy toy;
    const auto found = toy.step(task_subsets(3), {.alpha = 0.0});
    const auto joint = Toy::gradients_at(toy.validation, toy.weight, toy.other, {0, 1, 2})[0];
    EXPECT_TRUE(torch::allclose(found.gradients[0], joint * 0.75, 1e-12, 1e-12)) << "every task is in 3 of 4";
    EXPECT_EQ(found.slope, 0.0);
}

TEST(MetaSparsity, ThePenaltyWeighsNormsByTheNumberOfChannels) {
    const auto weight = random({2, 3, 1, 1}, 3);
    const ChannelSlices slices{"weight", weight, 1, 1, 1, torch::arange(3), 3, 2};
    double expected = 0.0;
    for (int64_t j = 0; j < 3; ++j) expected += std::sqrt(3.0) * weight.select(1, j).norm().item<double>();
    EXPECT_NEAR(penalty_of({{0, &slices}}).item<double>(), expected, 1e-12);
    EXPECT_NEAR(penalty_factor(slices, /*proximal=*/true), std::sqrt(2.0), 1e-15);
}

double log_lambda(const RegularizedRun& run) {
    return run.trainer.state().at("pruner.regularizer.log_lambda").item<double>();
}

/// The first mini-batch has none before it.
TEST(MetaSparsity, LearnsFromTheSecondMiniBatchOn) {
    RegularizedRun run(drawn_model(), "meta_sparsity:lambda=0.01,alpha=0.1,eta=0.2", five_of_shared(20, 1));
    run.step();
    EXPECT_EQ(log_lambda(run), std::log(0.01));
    run.step();
    EXPECT_NEAR(std::abs(log_lambda(run) - std::log(0.01)), 0.2, 1e-9) << "the first step of Adam";
    RegularizedRun plain(drawn_model(), "meta_sparsity:lambda=0.01,alpha=0.1,update=gradient",
                         five_of_shared(20, 1));
    plain.step(2);
    EXPECT_NE(log_lambda(plain), std::log(0.01));
    EXPECT_EQ(log_lambda(plain) > std::log(0.01), log_lambda(run) > std::log(0.01));
}

/// What the derivative of the outer objective alone would do.
TEST(MetaSparsity, WithThePenaltysDerivativeTheStrengthCanOnlyFall) {
    for (const std::string update : {"adam", "gradient"}) {
        RegularizedRun run(drawn_model(), "meta_sparsity:lambda=0.01,outer_penalty,update=" + update,
                           five_of_shared(20, 1));
        run.step();
        for (int i = 0; i < 8; ++i) {
            const double before = log_lambda(run);
            run.step();
            EXPECT_LT(log_lambda(run), before);
        }
    }
}

TEST(MetaSparsity, TheStrengthStaysInItsRange) {
    for (const std::string lambda : {"1e-7", "0.1"}) {
        RegularizedRun run(drawn_model(), "meta_sparsity:eta=9.0,alpha=0.1,lambda=" + lambda,
                           five_of_shared(20, 1));
        run.step(4);
        EXPECT_GE(log_lambda(run), std::log(1e-7));
        EXPECT_LE(log_lambda(run), std::log(0.1));
    }
    for (const std::string text : {"lambda=0.0", "lambda=1.0", "alpha=-1.0", "inner=adam", "episodes=some"})
        EXPECT_THROW(regularizers().make("meta_sparsity:" + text), Error) << text;
}

TEST(MetaSparsity, WithoutAnInnerStepTheOptimiserGetsTheSharesOfTheTasks) {
    RegularizedRun meta(drawn_model(), "meta_sparsity:alpha=0.0", five_of_shared(20, 1));
    RegularizedRun plain(drawn_model(), "", five_of_shared(20, 1));
    for (auto* run : {&meta, &plain})
        for (const uint64_t key : {1, 2}) run->trainer.take_gradients(random_batch(key, 8, torch::kDouble));
    const auto expected = parameters_by_name(*plain.model);
    for (const auto& [name, parameter] : parameters_by_name(*meta.model))
        EXPECT_TRUE(torch::allclose(parameter.grad(), expected.at(name).grad() * 0.75, 1e-9, 1e-12)) << name;
    for (const auto& item : meta.model->named_buffers())
        EXPECT_TRUE(torch::equal(item.value(), plain.model->named_buffers()[item.key()])) << item.key();
}

const std::vector<std::string> kLoops = {
    "meta_sparsity:lambda=0.02,alpha=0.01", "meta_sparsity:lambda=0.02,alpha=0.01,inner=proximal",
    "meta_sparsity:lambda=0.02,alpha=0.001,shared_snapshots,summed,outer_penalty"};

TEST(MetaSparsity, TheLoopResumesExactly) {
    for (const auto& text : kLoops) {
        RegularizedRun whole(drawn_model(), text, five_of_shared(4, 3));
        whole.step(5);
        const auto model = drawn_model();
        replay(*model, {whole.pruner->events().at(0).plan});
        RegularizedRun resumed(model, text, five_of_shared(4, 3));
        resumed.trainer.load_state(whole.trainer.state());
        whole.step(4);
        resumed.step(4);
        for (const auto& [name, tensor] : whole.trainer.state())
            EXPECT_TRUE(torch::equal(resumed.trainer.state().at(name), tensor)) << text << name;
    }
}

TEST(MetaSparsity, InTheLoopMasksAndRemovalAgree) {
    for (const auto& text : kLoops) {
        RegularizedRun removed(drawn_model(), text, five_of_shared(3, 3));
        RegularizedRun masked(drawn_model(), text, five_of_shared(3, 3, EditKind::mask));
        removed.step(8);
        masked.step(8);
        ASSERT_EQ(removed.pruner->events().size(), 2U);
        EXPECT_EQ(masked.pruner->events().at(1).removed, removed.pruner->events()[1].removed);
        const torch::NoGradGuard no_grad;
        const auto image = removed.batch().image;
        const auto a = removed.model->forward(image), b = masked.model->forward(image);
        for (size_t t = 0; t < a.size(); ++t)
            EXPECT_LT(((a[t] - b[t]).abs().max() / a[t].abs().max()).item<double>(), 1e-10) << text;
    }
}

TEST(MetaSparsity, MaskedChannelsStayZero) {
    for (const auto kind : {OptimizerKind::adamw, OptimizerKind::sgd}) {
        auto optimizer = default_optimizer(kind);
        optimizer.weight_decay = 0.01;
        RegularizedRun run(drawn_model(), kLoops[0], five_of_shared(3, 5, EditKind::mask), optimizer);
        run.step(3);
        const auto plan = run.pruner->events().at(0).plan;
        run.step(10);
        int64_t checked = 0;
        const auto parameters = parameters_by_name(*run.model);
        for (const auto& slices : plan.slices) {
            const auto found = parameters.find(slices.tensor);
            if (found == parameters.end()) continue;
            const auto rows =
                found->second.detach().index_select(slices.dim, torch::tensor(slices.indices, torch::kLong));
            EXPECT_EQ(rows.abs().max().item<double>(), 0.0) << slices.tensor;
            ++checked;
        }
        EXPECT_GT(checked, 3);
    }
}

}  // namespace
}  // namespace mtlprune::meta_sparsity_test
