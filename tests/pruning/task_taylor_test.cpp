// Taylor importance of every task by itself, and its combinations.
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "pruning/criteria/task_scores.h"
#include "tests/pruning/two_tasks.h"

namespace mtlprune::task_taylor_test {
namespace {

using two_tasks::Subject;

/// Squared gradients of explicit gates: [task][group][channel].
std::vector<std::vector<std::vector<double>>> gate_squares() {
    Subject subject(criteria().make("taylor"));
    const auto first = torch::ones({6}, torch::kDouble).requires_grad_(true),
               second = torch::ones({5}, torch::kDouble).requires_grad_(true);
    std::vector<std::vector<std::vector<double>>> squares;
    for (const auto& loss : subject.model->gated_losses(1, first, second)) {
        auto& task = squares.emplace_back();
        for (const auto& gradient :
             torch::autograd::grad({loss}, {first, second}, {}, /*retain_graph=*/true)) {
            auto& group = task.emplace_back();
            for (int64_t c = 0; c < gradient.numel(); ++c)
                group.push_back(std::pow(gradient[c].item<double>(), 2));
        }
    }
    return squares;
}

std::vector<torch::Tensor> scores_of(const std::string& options) {
    Subject subject(criteria().make("task_taylor:" + options));
    subject.observe(1);
    return subject.scores();
}

void expect_scores(const std::string& options,
                   const std::function<double(size_t group, size_t channel)>& expected) {
    const auto scores = scores_of(options);
    for (const size_t g : {0, 1})
        for (int64_t c = 0; c < scores[g].numel(); ++c) {
            const double value = expected(g, static_cast<size_t>(c));
            EXPECT_NEAR(scores[g][c].item<double>(), value, 1e-9 * std::abs(value) + 1e-15)
                << options << " " << g << " " << c;
        }
}

TEST(TaskTaylor, CombinesWhatExplicitGatesSay) {
    const auto squares = gate_squares();
    const auto total = [&](size_t task) {
        double sum = 0;
        for (const auto& group : squares[task])
            for (const double value : group) sum += value;
        return sum;
    };
    const auto share = [&](size_t t, size_t g, size_t c) { return squares[t][g][c] / total(t); };
    const auto norm = [&](size_t t, size_t g) {
        double sum = 0;
        for (const double value : squares[t][g]) sum += value * value;
        return std::sqrt(sum);
    };
    expect_scores("combine=sum", [&](size_t g, size_t c) { return share(0, g, c) + share(1, g, c); });
    expect_scores("combine=max",
                  [&](size_t g, size_t c) { return std::max(share(0, g, c), share(1, g, c)); });
    expect_scores("combine=sum,task_normaliser=none",
                  [&](size_t g, size_t c) { return squares[0][g][c] + squares[1][g][c]; });
    expect_scores("combine=max,task_normaliser=mean",
                  [&](size_t g, size_t c) { return 11 * std::max(share(0, g, c), share(1, g, c)); });
    expect_scores("combine=sum,task_normaliser=layer", [&](size_t g, size_t c) {
        return squares[0][g][c] / norm(0, g) + squares[1][g][c] / norm(1, g);
    });
}

TEST(TaskTaylor, RanksAreCountsOfLowerChannels) {
    const auto squares = gate_squares();
    expect_scores("combine=rank", [&](size_t g, size_t c) {
        int lower = 0;
        for (const auto& task : squares)
            for (const auto& group : task)
                lower += static_cast<int>(std::count_if(group.begin(), group.end(),
                                                        [&](double value) { return value < task[g][c]; }));
        return lower / 10.0 / 2.0;
    });
}

TEST(TaskTaylor, TiesShareTheMeanOfTheirRanks) {
    const auto ranks = relative_ranks(torch::tensor({3.0, 1.0, 3.0, 2.0}, torch::kDouble));
    EXPECT_TRUE(torch::allclose(ranks, torch::tensor({2.5, 0.0, 2.5, 1.0}, torch::kDouble) / 3.0));
    EXPECT_EQ(relative_ranks(torch::ones({1}, torch::kDouble)).item<double>(), 0.0);
}

TEST(TaskTaylor, KeepsWhatConflictingTasksNeed) {
    Subject total(criteria().make("taylor")), tasks(criteria().make("task_taylor"));
    for (auto* subject : {&total, &tasks}) {
        const auto loss = subject->model->losses(1)[0];
        subject->observe_losses({loss, -loss});
    }
    EXPECT_LT(total.scores()[0].max().item<double>(), 1e-25);
    EXPECT_GT(tasks.scores()[0].min().item<double>(), 1e-12);
}

TEST(TaskTaylor, DoesNotSeeTheScaleOfATasksLoss) {
    for (const char* options : {"combine=sum", "combine=max", "combine=rank", "task_normaliser=layer"}) {
        Subject plain(criteria().make(std::string("task_taylor:") + options)),
            scaled(criteria().make(std::string("task_taylor:") + options));
        plain.observe(1);
        auto losses = scaled.model->losses(1);
        losses[1] = losses[1] * 1000;
        scaled.observe_losses(losses);
        for (const size_t g : plain.pruner.asked())
            EXPECT_TRUE(torch::allclose(plain.scores()[g], scaled.scores()[g], 1e-9)) << options;
    }
}

TEST(TaskTaylor, ATaskThatDoesNotReachTheChannelsChangesNothing) {
    Subject one(criteria().make("task_taylor:combine=sum")), two(criteria().make("task_taylor:combine=sum"));
    one.observe_losses({one.model->losses(1)[0]});
    two.observe_losses({two.model->losses(1)[0], two.model->right->bias.sum()});
    for (const size_t g : one.pruner.asked())
        EXPECT_TRUE(torch::allclose(one.scores()[g], two.scores()[g], 1e-12)) << g;
}

TEST(TaskTaylor, NeedsGradientsOfTasks) {
    Subject subject(criteria().make("task_taylor"));
    auto evidence = subject.evidence(subject.model->losses(1));
    evidence.task_gradients.clear();
    EXPECT_THROW(subject.pruner.criterion().observe(evidence), Error);
}

}  // namespace
}  // namespace mtlprune::task_taylor_test
