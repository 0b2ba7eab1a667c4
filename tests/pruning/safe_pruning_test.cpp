// Safe pruning's criterion: importance for any task, conflict of gradients, channels that stay.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/error.h"
#include "tests/pruning/two_tasks.h"

namespace mtlprune::safe_pruning_test {
namespace {

using two_tasks::Subject;

enum class Losses { two, equal, opposite, swapped, scaled };

void observe(Subject& subject, Losses which, uint64_t key = 1) {
    const auto losses = subject.model->losses(key);
    switch (which) {
        case Losses::two:
            return subject.observe_losses(losses);
        case Losses::equal:
            return subject.observe_losses({losses[0], losses[0]});
        case Losses::opposite:
            return subject.observe_losses({losses[0], -losses[0]});
        case Losses::swapped:
            return subject.observe_losses({losses[1], losses[0]});
        case Losses::scaled:
            return subject.observe_losses({losses[0], losses[1] * 1000});
    }
}

torch::Tensor scores_of(const std::string& criterion, Losses which) {
    Subject subject(criteria().make(criterion));
    observe(subject, which);
    return torch::cat({subject.scores()[0], subject.scores()[1]});
}

torch::Tensor safe(const std::string& options, Losses which) {
    return scores_of("safe_pruning:protect=0," + options, which);
}

/// What the penalty of weight 1 takes away.
torch::Tensor conflict(Losses which) {
    return safe("penalty=0", which) - safe("penalty=1", which);
}

std::vector<int64_t> order_of(const torch::Tensor& scores) {
    const auto order = scores.argsort();
    return {order.data_ptr<int64_t>(), order.data_ptr<int64_t>() + order.numel()};
}

TEST(SafePruning, WithoutConflictItRanksAsOneTasksTaylorWithOppositeTasksAllConflict) {
    EXPECT_LT(conflict(Losses::equal).abs().max().item<double>(), 1e-12);
    Subject one(criteria().make("taylor"));
    one.observe_losses({one.model->losses(1)[0]});
    EXPECT_EQ(order_of(safe("penalty=0.2", Losses::equal)),
              order_of(torch::cat({one.scores()[0], one.scores()[1]})));
    EXPECT_LT((conflict(Losses::opposite) - 1).abs().max().item<double>(), 1e-9);
}

TEST(SafePruning, ConflictIsAMeanOfNegativeCosinesOfAveragedGradients) {
    Subject with(criteria().make("safe_pruning:protect=0,penalty=1")),
        without(criteria().make("safe_pruning:protect=0,penalty=0"));
    std::vector<torch::Tensor> gradients(3);
    const std::vector<uint64_t> keys = {1, 30};
    for (const uint64_t key : keys) {
        auto losses = with.model->losses(key);
        losses.push_back(with.model->forward(two_tasks::normal_noise({2, 3, 6, 6}, key))[1].mean());
        const auto evidence = with.evidence(losses);
        for (size_t t = 0; t < 3; ++t) {
            const auto& gradient = evidence.task_gradients.at("second.weight")[t];
            gradients[t] = gradients[t].defined() ? gradients[t] + gradient : gradient;
        }
        with.pruner.criterion().observe(evidence);
        without.pruner.criterion().observe(evidence);
    }
    const auto found = without.scores()[1] - with.scores()[1];
    for (int64_t c = 0; c < 5; ++c) {
        double expected = 0;
        for (const auto& [i, j] : {std::pair(0, 1), {0, 2}, {1, 2}}) {
            double product = 0, first = 0, second = 0;
            for (int64_t k = 0; k < 54; ++k) {
                const double a = gradients[i][c].flatten()[k].item<double>(),
                             b = gradients[j][c].flatten()[k].item<double>();
                product += a * b;
                first += a * a;
                second += b * b;
            }
            expected += std::max(0.0, -product / std::sqrt(first * second)) / 3;
        }
        EXPECT_NEAR(found[c].item<double>(), expected, 1e-9) << c;
    }
    EXPECT_GT(found.max().item<double>(), 0.01) << "no conflict to see";
}

TEST(SafePruning, KnowsNeitherTheScaleNorTheOrderOfTasks) {
    for (const auto* options : {"penalty=0.2", "penalty=0.2,penalising=raw", "penalising=multiply",
                                "aggregate=mean", "absolute", "task_normaliser=layer"})
        for (const auto which : {Losses::swapped, Losses::scaled})
            EXPECT_TRUE(torch::allclose(safe(options, Losses::two), safe(options, which), 1e-9)) << options;
    const auto found = conflict(Losses::two);
    EXPECT_GE(found.min().item<double>(), 0.0);
    EXPECT_LE(found.max().item<double>(), 1.0);
}

TEST(SafePruning, WithoutPenaltyItIsTheMaximumOverTasks) {
    const auto expected = scores_of("task_taylor:combine=max,task_normaliser=mean", Losses::two);
    for (const char* penalising : {"raw", "multiply"})
        EXPECT_TRUE(
            torch::equal(safe(std::string("penalty=0,penalising=") + penalising, Losses::two), expected));
    EXPECT_EQ(order_of(safe("penalty=0", Losses::two)), order_of(expected));
    const auto ranks = safe("penalty=0", Losses::two);
    EXPECT_EQ(ranks.min().item<double>(), 0.0);
    EXPECT_EQ(ranks.max().item<double>(), 1.0);
}

TEST(SafePruning, ScoresFallAsThePenaltyGrows) {
    for (const auto* penalising : {"subtract", "multiply", "raw"}) {
        auto last = safe(std::string("penalty=0,penalising=") + penalising, Losses::two);
        const auto first = last;
        for (const char* penalty : {"0.2", "1", "5"}) {
            const auto now =
                safe(std::string("penalising=") + penalising + ",penalty=" + penalty, Losses::two);
            EXPECT_TRUE((now <= last).all().item<bool>()) << penalising;
            last = now;
        }
        EXPECT_FALSE(torch::equal(first, last));
    }
}

/// The channels' numbers among all (first layer, then second) by loops: the ceil(share C) highest of each
/// task in each layer.
std::vector<bool> protected_channels(Subject& subject, const Evidence& evidence, double share) {
    std::vector<bool> result;
    for (size_t g = 0; g < 2; ++g) {
        const auto gates = task_gate_gradients(evidence, g, "test").square();
        const auto count = static_cast<int64_t>(std::ceil(share * static_cast<double>(gates.size(0))));
        for (int64_t c = 0; c < gates.size(0); ++c) {
            bool is_protected = false;
            for (int64_t t = 0; t < gates.size(1); ++t) {
                int64_t higher = 0;
                for (int64_t d = 0; d < gates.size(0); ++d)
                    higher += gates[d][t].item<double>() > gates[c][t].item<double>();
                is_protected = is_protected || higher < count;
            }
            result.push_back(is_protected);
        }
    }
    EXPECT_EQ(subject.pruner.asked().size(), 2U);
    return result;
}

TEST(SafePruning, NoPenaltyReachesProtectedChannels) {
    for (const double share : {0.2, 0.5}) {
        Subject subject(criteria().make("safe_pruning:penalty=1000000,protect=" + std::to_string(share)));
        const auto evidence = subject.evidence(subject.model->losses(1));
        subject.pruner.criterion().observe(evidence);
        const auto stays = protected_channels(subject, evidence, share);
        const auto scores = torch::cat({subject.scores()[0], subject.scores()[1]});
        double lowest_protected = INFINITY, highest_other = -INFINITY;
        for (size_t i = 0; i < stays.size(); ++i) {
            const double score = scores[static_cast<int64_t>(i)].item<double>();
            if (stays[i])
                lowest_protected = std::min(lowest_protected, score);
            else
                highest_other = std::max(highest_other, score);
        }
        EXPECT_GT(lowest_protected, highest_other) << share;
    }
}

TEST(SafePruning, ProtectedChannelsLeaveAsIfTheShareWereHalved) {
    // One task in two places: of 5 and 6 channels, half of a layer is 3 protected ones, a quarter 2, an
    // eighth 1.
    const auto scores = scores_of("safe_pruning:protect=0.5,penalty=0", Losses::equal);
    const auto taylor = scores_of("task_taylor:combine=max", Losses::equal);
    for (const auto& [begin, count] : {std::pair(0, 6), {6, 5}}) {
        const auto order = order_of(taylor.narrow(0, begin, count));
        std::vector<double> sorted;
        for (const auto c : order) sorted.push_back(scores[begin + c].item<double>());
        EXPECT_TRUE(std::is_sorted(sorted.begin(), sorted.end()));
        const double step = 2.0;  // ranks span 1, and 1 more
        EXPECT_LE(sorted[sorted.size() - 4], 1.0);
        for (size_t level = 1; level <= 3; ++level) {
            const double score = sorted[sorted.size() - 4 + level];
            EXPECT_GE(score, step * static_cast<double>(level));
            EXPECT_LE(score, step * static_cast<double>(level) + 1);
        }
    }
}

TEST(SafePruning, AChannelOfOneTaskStays) {
    Subject subject(criteria().make("safe_pruning:penalty=1000000"));
    {
        const torch::NoGradGuard no_grad;
        subject.model->left->weight.select(1, 4).zero_();
        subject.model->right->weight.select(1, 4).mul_(100);
    }
    const auto evidence = subject.evidence(subject.model->losses(1));
    const auto gates = task_gate_gradients(evidence, 1, "test").square();
    ASSERT_EQ(gates[4][0].item<double>(), 0.0);
    ASSERT_EQ(gates.select(1, 1).argmax().item<int64_t>(), 4);
    subject.pruner.criterion().observe(evidence);
    const auto scores = subject.scores()[1];
    // With at most one channel of each of two tasks protected, three others are lower.
    EXPECT_GE((scores < scores[4]).sum().item<int64_t>(), 3);
}

TEST(SafePruning, RefusesOptionsOutOfRange) {
    for (const char* options : {"penalty=-1.0", "protect=1.5", "protect=-0.1"})
        EXPECT_THROW(criteria().make(std::string("safe_pruning:") + options), Error) << options;
}

}  // namespace
}  // namespace mtlprune::safe_pruning_test
