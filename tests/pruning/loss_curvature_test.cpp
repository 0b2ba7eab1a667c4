// Criteria of second derivatives: against finite differences, against gates differentiated twice, and against
// closed forms of losses whose Hessian is diagonal.
#include "pruning/evidence/loss_curvature.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>

#include "tests/pruning/two_tasks.h"

namespace mtlprune::loss_curvature_test {
namespace {

using two_tasks::normal_noise;
using two_tasks::Subject;

/// Scores of both groups after one mini-batch with these losses.
std::vector<torch::Tensor> scores_of(Subject& subject, const std::string& criterion,
                                     const std::function<torch::Tensor()>& loss) {
    Pruner pruner(subject.network.couple({}), criteria().make(criterion), {});
    auto evidence = pruner.evidence(subject.tensors);
    auto passes = subject.model->passes(1);
    passes.losses = [&](SampleRange) { return std::vector{loss()}; };
    evidence.own_passes = &passes;
    const auto mode = passes.in_mode(/*training=*/false);
    pruner.criterion().observe(evidence);
    const auto all = pruner.criterion().scores(pruner.evidence(subject.tensors)).scores;
    return {all.at(0), all.at(1)};
}

torch::Tensor smooth_loss(two_tasks::TwoTasksImpl& model) {
    auto x = torch::softplus(model.first(normal_noise({2, 3, 6, 6}, 1)));
    x = torch::softplus(model.second(x));
    return (model.left(x) - normal_noise({2, 2, 6, 6}, 2)).square().mean() + model.right(x).square().mean();
}

/// Mean of the estimates of as many seeds is within 4.5 of its standard errors.
void expect_mean(const std::vector<torch::Tensor>& estimates, const torch::Tensor& expected) {
    const auto all = torch::stack(estimates);
    const auto error = all.std(0) / std::sqrt(static_cast<double>(estimates.size()));
    EXPECT_TRUE(((all.mean(0) - expected).abs() <= 4.5 * error + 1e-9 * expected.abs()).all().item<bool>())
        << (all.mean(0) - expected) / error;
}

TEST(RandomSigns, MoveWithTheValues) {
    const auto values = normal_noise({7, 5, 3}, 1);
    const auto signs = RandomSigns(values).draw(9);
    EXPECT_TRUE(signs.abs().equal(torch::ones_like(values)));
    const auto order = torch::tensor({4, 2, 0, 5, 6, 3, 1});
    EXPECT_TRUE(RandomSigns(values.index_select(0, order)).draw(9).equal(signs.index_select(0, order)));
    EXPECT_FALSE(RandomSigns(values).draw(10).equal(signs));
    const auto masked =
        torch::cat({values.narrow(0, 0, 2), torch::zeros({3, 5, 3}, torch::kDouble), values.narrow(0, 2, 5)});
    const auto zeros = torch::zeros({3, 5, 3}, torch::kDouble);
    EXPECT_TRUE(
        RandomSigns(masked).draw(9).equal(torch::cat({signs.narrow(0, 0, 2), zeros, signs.narrow(0, 2, 5)})));
    // Equal values get signs of their own.
    EXPECT_LT(RandomSigns(torch::ones({1000})).draw(3).mean().abs().item<double>(), 0.15);
    EXPECT_LT(RandomSigns(normal_noise({1000}, 2)).draw(3).mean().abs().item<double>(), 0.15);
}

TEST(ObdHutchinson, OfADiagonalHessianIsExactWithOneDraw) {
    Subject subject(criteria().make("l1"), {}, /*has_norm=*/false);
    const auto coefficient = [](const torch::Tensor& w, uint64_t key) {
        return normal_noise(w.sizes().vec(), key);
    };
    const auto loss = [&] {
        torch::Tensor sum;
        uint64_t key = 30;
        for (const auto& w : subject.model->parameters()) {
            const auto term = (coefficient(w, key++) * w.pow(3)).sum();
            sum = sum.defined() ? sum + term : term;
        }
        return sum;
    };
    // c w^3: w^2 h / 2 = w^2 6 c w / 2.
    const auto growth = [&](const torch::Tensor& w, uint64_t key) {
        return (3 * coefficient(w, key) * w.pow(3)).detach();
    };
    auto& model = *subject.model;
    uint64_t key = 30;
    std::map<std::string, uint64_t> keys;
    for (const auto& item : model.named_parameters()) keys[item.key()] = key++;
    const auto first = growth(model.first->weight, keys.at("first.weight")),
               second = growth(model.second->weight, keys.at("second.weight"));
    const auto expected = (first.flatten(1).sum(1) + second.transpose(0, 1).flatten(1).sum(1)) / 2;
    EXPECT_LT(expected.min().item<double>(), 0) << "one of negative curvature";
    const auto found = scores_of(subject, "obd_hutchinson:draws=1", loss)[0];
    EXPECT_TRUE(found.allclose(expected.abs(), 1e-9, 1e-12)) << found << expected;
}

TEST(ObdHutchinson, EstimatesTheDiagonalOfFiniteDifferences) {
    Subject subject(criteria().make("l1"), {}, /*has_norm=*/false);
    auto& model = *subject.model;
    const auto loss = [&] { return smooth_loss(model); };
    constexpr double kStep = 1e-5;
    const auto growth = [&](const torch::Tensor& w) {
        auto sums = torch::zeros_like(w.detach());
        double* weight = w.data_ptr<double>();
        for (int64_t i = 0; i < w.numel(); ++i) {
            const double before = weight[i];
            const auto slope = [&](double step) {
                weight[i] = before + step;
                return torch::autograd::grad({loss()}, {w})[0].data_ptr<double>()[i];
            };
            const double h = (slope(kStep) - slope(-kStep)) / (2 * kStep);
            weight[i] = before;
            sums.data_ptr<double>()[i] = before * before * h / 2;
        }
        return sums;
    };
    const auto first = growth(model.first->weight), second = growth(model.second->weight);
    const auto expected = (first.flatten(1).sum(1) + second.transpose(0, 1).flatten(1).sum(1)) / 2;
    ASSERT_GT(expected.min().item<double>(), 0);
    std::vector<torch::Tensor> estimates;
    for (int seed = 0; seed < 30; ++seed)
        estimates.push_back(
            scores_of(subject, "obd_hutchinson:draws=6,seed=" + std::to_string(seed), loss)[0]);
    EXPECT_FALSE(estimates[0].equal(estimates[1]));
    expect_mean(estimates, expected);
}

/// Gradient and diagonal of the Hessian of explicit gates, [T] of both groups.
struct GateDerivatives {
    std::vector<torch::Tensor> gradients, curvatures;
};

GateDerivatives of_explicit_gates(Subject& subject, uint64_t key) {
    subject.model->eval();
    const std::vector<torch::Tensor> gates = {torch::ones({6}, torch::kDouble).requires_grad_(),
                                              torch::ones({5}, torch::kDouble).requires_grad_()};
    const auto losses = subject.model->gated_losses(key, gates[0], gates[1]);
    const auto gradients = torch::autograd::grad({losses[0] + losses[1]}, gates, {}, /*retain_graph=*/true,
                                                 /*create_graph=*/true);
    GateDerivatives result;
    for (size_t g = 0; g < 2; ++g) {
        auto diagonal = torch::zeros_like(gates[g].detach());
        for (int64_t c = 0; c < gates[g].numel(); ++c)
            diagonal[c] =
                torch::autograd::grad({gradients[g][c]}, {gates[g]}, {}, /*retain_graph=*/true)[0][c];
        result.gradients.push_back(gradients[g].detach());
        result.curvatures.push_back(diagonal);
    }
    return result;
}

TEST(TaylorSecond, EqualsExplicitGatesDifferentiatedTwice) {
    for (const bool has_norm : {false, true}) {
        Subject change(criteria().make("taylor_second:draws=0"), {}, has_norm),
            curvature(criteria().make("taylor_second:draws=0,form=curvature"), {}, has_norm);
        for (auto* subject : {&change, &curvature}) subject->observe(40);
        const auto expected = of_explicit_gates(change, 40);
        for (size_t g = 0; g < 2; ++g) {
            EXPECT_GT(expected.curvatures[g].abs().min().item<double>(), 1e-6);
            EXPECT_TRUE(curvature.scores()[g].allclose(expected.curvatures[g], 1e-9, 1e-12));
            EXPECT_TRUE(change.scores()[g].allclose(
                (0.5 * expected.curvatures[g] - expected.gradients[g]).square(), 1e-9, 1e-12));
        }
    }
}

TEST(TaylorSecond, IsWhatClosingTheGateChangesOfALossThatIsQuadraticInIt) {
    Subject subject(criteria().make("l1"), {}, /*has_norm=*/false);
    auto& model = *subject.model;
    const auto loss = [&] {
        const auto x = model.second(model.first(normal_noise({2, 3, 6, 6}, 1)));
        return (model.left(x) - 1).square().mean();
    };
    const auto found = scores_of(subject, "taylor_second:draws=0", loss)[0];
    const torch::NoGradGuard no_grad;
    const double before = loss().item<double>();
    for (int64_t c = 0; c < 6; ++c) {
        const auto weight = model.first->weight[c].clone(), bias = model.first->bias[c].clone();
        model.first->weight[c].fill_(0);
        model.first->bias[c].fill_(0);
        const double change = loss().item<double>() - before;
        model.first->weight[c].copy_(weight);
        model.first->bias[c].copy_(bias);
        EXPECT_NEAR(found[c].item<double>(), change * change, 1e-9 * change * change + 1e-14);
    }
}

TEST(TaylorSecond, EstimatesTheCurvatureOfGates) {
    Subject exact(criteria().make("taylor_second:draws=0,form=curvature"));
    exact.observe(40);
    std::vector<torch::Tensor> estimates;
    for (int seed = 0; seed < 40; ++seed) {
        Subject subject(criteria().make("taylor_second:draws=2,form=curvature,seed=" + std::to_string(seed)));
        subject.observe(40);
        estimates.push_back(subject.scores()[0]);
    }
    EXPECT_FALSE(estimates[0].equal(estimates[1]));
    expect_mean(estimates, exact.scores()[0]);
}

TEST(LossCurvature, IsZeroWhereTheGradientDependsOnNothing) {
    Subject subject(criteria().make("l1"), {}, /*has_norm=*/false);
    const auto loss = [&] { return subject.model->first->weight.sum(); };
    EXPECT_EQ(scores_of(subject, "obd_hutchinson", loss)[0].abs().max().item<double>(), 0.0);
}

}  // namespace
}  // namespace mtlprune::loss_curvature_test
