// DiSparse on channels: votes by double loops over ranks, scores by explicit gates and loops over weights.
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/random.h"
#include "pruning/criteria/channel_votes.h"
#include "tests/pruning/two_tasks.h"

namespace mtlprune::disparse_channels_test {
namespace {

using two_tasks::normal_noise;
using two_tasks::Subject;
using Numbers = std::vector<std::vector<std::vector<double>>>;  ///< [group][channel][task]

/// Two shared groups and one of every task's head.
const std::vector<std::vector<size_t>> kUsers = {{0, 1, 2}, {0, 1, 2}, {0}, {1}, {2}};
const std::vector<size_t> kWidths = {7, 4, 5, 3, 6};

Numbers random_numbers(uint64_t key, size_t tasks = 3) {
    Numbers numbers;
    for (size_t g = 0; g < kWidths.size(); ++g) {
        Random random(100 * key + g);
        auto& group = numbers.emplace_back(kWidths[g]);
        for (auto& channel : group)
            for (size_t t = 0; t < tasks; ++t) channel.push_back(0.1 + random.uniform());
    }
    return numbers;
}

std::vector<torch::Tensor> tensors_of(const Numbers& numbers) {
    std::vector<torch::Tensor> groups;
    for (const auto& group : numbers) {
        std::vector<torch::Tensor> rows;
        for (const auto& channel : group) rows.push_back(torch::tensor(channel, torch::kDouble));
        groups.push_back(torch::stack(rows));
    }
    return groups;
}

bool uses(const std::vector<std::vector<size_t>>& users, size_t group, size_t task) {
    return std::find(users[group].begin(), users[group].end(), task) != users[group].end();
}

/// Does the task keep the channel at keep ratio k? By counting what is better.
bool keeps(const Numbers& scores, const std::vector<std::vector<size_t>>& users, double k, size_t task,
           size_t group, size_t channel) {
    const double own = scores[group][channel][task];
    if (own == 0.0) return false;
    double all = 0, better = 0;
    for (size_t g = 0; g < scores.size(); ++g) {
        if (!uses(users, g, task)) continue;
        for (size_t c = 0; c < scores[g].size(); ++c) {
            ++all;
            const double other = scores[g][c][task];
            const bool later = g > group || (g == group && c > channel);
            if (other > own || (other == own && later)) ++better;
        }
    }
    return better < k * all;
}

/// Kept by the votes at keep ratio k, per group and channel.
std::vector<std::vector<bool>> slow_vote(const Numbers& scores, const std::vector<std::vector<size_t>>& users,
                                         double k, const VoteRule& rule) {
    std::vector<std::vector<bool>> kept;
    for (size_t g = 0; g < scores.size(); ++g) {
        auto& group = kept.emplace_back();
        for (size_t c = 0; c < scores[g].size(); ++c) {
            size_t votes = 0;
            for (const size_t task : users[g]) votes += keeps(scores, users, k, task, g, c) ? 1 : 0;
            const size_t removers = users[g].size() - votes;
            bool leaves = rule.vote == Vote::all   ? votes == 0
                          : rule.vote == Vote::any ? removers > 0
                                                   : 2 * removers > users[g].size();
            if (rule.votes > 0) leaves = votes < std::min(rule.votes, users[g].size());
            group.push_back(!leaves);
        }
    }
    return kept;
}

void expect_votes(const Numbers& scores, const std::vector<std::vector<size_t>>& users, const VoteRule& rule,
                  const std::string& what) {
    const auto voted = vote(tensors_of(scores), users, rule);
    for (const double k : {0.0101, 0.1501, 0.3301, 0.5201, 0.7801, 0.9901}) {
        const auto expected = slow_vote(scores, users, k, rule);
        for (size_t g = 0; g < scores.size(); ++g)
            for (size_t c = 0; c < scores[g].size(); ++c)
                EXPECT_EQ(voted[g][static_cast<int64_t>(c)].item<double>() > 1.0 - k, expected[g][c])
                    << what << " k " << k << " group " << g << " channel " << c;
    }
}

TEST(ChannelVote, IsTheDecisionAtEveryKeepRatio) {
    for (uint64_t key = 0; key < 4; ++key)
        for (const auto& rule : {VoteRule{Vote::all}, VoteRule{Vote::any}, VoteRule{Vote::majority},
                                 VoteRule{Vote::all, 2}, VoteRule{Vote::all, 9}})
            expect_votes(
                random_numbers(key), kUsers, rule,
                "rule " + std::to_string(static_cast<int>(rule.vote)) + "/" + std::to_string(rule.votes));
}

TEST(ChannelVote, TiesAreByGroupAndChannelAndZerosAreNeverKept) {
    auto scores = random_numbers(5);
    for (auto& channel : scores[0]) channel = {1.0, 1.0, 0.0};
    scores[1][2] = {0.0, 0.0, 0.0};
    for (const auto vote : {Vote::all, Vote::any, Vote::majority})
        expect_votes(scores, kUsers, {vote}, "ties");
    const auto voted = vote(tensors_of(scores), kUsers, {});
    EXPECT_EQ(voted[1][2].item<double>(), 0.0);
    EXPECT_LT(voted[0][3].item<double>(), voted[0][4].item<double>());
}

TEST(ChannelVote, ATaskMoreCanOnlyKeepMore) {
    const auto scores = tensors_of(random_numbers(7));
    const std::vector<torch::Tensor> shared = {scores[0], scores[1]};
    const auto three = vote(shared, {{0, 1, 2}, {0, 1, 2}}, {}), two = vote(shared, {{0, 1}, {0, 1}}, {});
    bool more = false;
    for (size_t g = 0; g < 2; ++g) {
        EXPECT_TRUE((three[g] >= two[g]).all().item<bool>());
        more = more || (three[g] > two[g]).any().item<bool>();
    }
    EXPECT_TRUE(more);
}

TEST(ChannelVote, OneTaskOrSeveralEqualOnesRankByTheirScores) {
    const auto scores = tensors_of(random_numbers(8));
    const std::vector<torch::Tensor> one = {scores[0].slice(1, 0, 1), scores[1].slice(1, 0, 1)};
    const std::vector<torch::Tensor> equal = {one[0].expand({-1, 3}), one[1].expand({-1, 3})};
    const auto alone = vote(one, {{0}, {0}}, {});
    EXPECT_TRUE(
        torch::equal(torch::cat(alone).argsort(int64_t{0}), torch::cat(one).squeeze(1).argsort(int64_t{0})));
    for (const auto rule : {Vote::all, Vote::any, Vote::majority}) {
        const auto together = vote(equal, {{0, 1, 2}, {0, 1, 2}}, {rule});
        for (size_t g = 0; g < 2; ++g) EXPECT_TRUE(torch::equal(together[g], alone[g]));
    }
}

TEST(ChannelVote, DoesNotSeeTheScaleOfATask) {
    const auto scores = tensors_of(random_numbers(9));
    auto scaled = scores;
    for (auto& group : scaled) group = group * torch::tensor({1.0, 100.0, 1e-6}, torch::kDouble);
    const auto a = vote(scores, kUsers, {}), b = vote(scaled, kUsers, {});
    for (size_t g = 0; g < a.size(); ++g) EXPECT_TRUE(torch::equal(a[g], b[g]));
}

/// A shared stem and for every task a hidden layer of its own; all four groups may shrink.
struct TwoHeadsImpl : torch::nn::Module {
    static torch::nn::Conv2d conv(int64_t in, int64_t out, int64_t kernel) {
        return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, kernel).padding(kernel / 2));
    }
    torch::nn::Conv2d first = conv(3, 6, 3), second = conv(6, 5, 3), left = conv(5, 4, 1),
                      right = conv(5, 3, 3), left_out = conv(4, 2, 1), right_out = conv(3, 1, 1);

    TwoHeadsImpl() {
        uint64_t key = 1;
        for (const auto& [name, layer] : {std::pair("first", &first),
                                          {"second", &second},
                                          {"left", &left},
                                          {"right", &right},
                                          {"left_out", &left_out},
                                          {"right_out", &right_out}})
            register_module(name, *layer);
        const torch::NoGradGuard no_grad;
        to(torch::kDouble);
        for (auto& parameter : parameters())
            parameter.copy_(normal_noise(parameter.sizes().vec(), key++) * 0.4);
    }
    /// gates: of first, second, left and right, behind their activations.
    std::vector<torch::Tensor> gated(const torch::Tensor& x, const std::vector<torch::Tensor>& gates) {
        const auto with = [&](const torch::Tensor& y, size_t g) {
            return torch::relu(y) * gates[g].view({1, -1, 1, 1});
        };
        const auto shared = with(second(with(first(x), 0)), 1);
        return {left_out(with(left(shared), 2)), right_out(with(right(shared), 3))};
    }
    static std::vector<torch::Tensor> ones() {
        std::vector<torch::Tensor> gates;
        for (const int64_t width : {6, 5, 4, 3})
            gates.push_back(torch::ones({width}, torch::kDouble).requires_grad_(true));
        return gates;
    }
    std::vector<torch::Tensor> losses(uint64_t key, const std::vector<torch::Tensor>& gates) {
        const auto out = gated(normal_noise({2, 3, 6, 6}, key), gates);
        return {(out[0] - normal_noise({2, 2, 6, 6}, key + 1)).square().mean(),
                50.0 * (out[1] - normal_noise({2, 1, 6, 6}, key + 2)).abs().mean()};
    }
};
TORCH_MODULE(TwoHeads);

const std::vector<std::vector<size_t>> kHeadUsers = {{0, 1}, {0, 1}, {0}, {1}};

struct Heads {
    explicit Heads(const std::string& criterion, const AllocationOptions& allocation = {})
        : network(*model, [this](const auto& in) { return model->gated(in[0], TwoHeadsImpl::ones()); },
                  {normal_noise({1, 3, 6, 6}, 7)}),
          pruner(network.couple({}), criteria().make(criterion), allocation),
          tensors(network.tensors()) {}

    void observe(uint64_t key, double sign = 1.0) {
        auto losses = model->losses(key, TwoHeadsImpl::ones());
        for (auto& loss : losses) loss = loss * sign;
        auto evidence = pruner.evidence(tensors);
        add_gradients(evidence, {.task_gradients = true}, losses, tensors);
        pruner.criterion().observe(evidence);
    }
    std::vector<torch::Tensor> scores() const {
        const auto all = pruner.criterion().scores(pruner.evidence(tensors)).scores;
        std::vector<torch::Tensor> asked;
        for (const size_t g : pruner.asked()) asked.push_back(all[g]);
        return asked;
    }

    TwoHeads model;
    ModuleNetwork network;
    Pruner pruner;
    StoredTensors tensors;
};

const std::vector<uint64_t> kBatches = {1, 40, 90};

Numbers zeros() {
    Numbers numbers;
    for (const size_t width : {6, 5, 4, 3}) numbers.emplace_back(width, std::vector<double>{0.0, 0.0});
    return numbers;
}

/// Sums over mini-batches of |gradient of an explicit gate|.
Numbers gate_numbers() {
    TwoHeads model;
    auto numbers = zeros();
    for (const uint64_t key : kBatches) {
        const auto gates = TwoHeadsImpl::ones();
        const auto losses = model->losses(key, gates);
        for (size_t t = 0; t < 2; ++t) {
            const auto gradients = torch::autograd::grad({losses[t]}, gates, {}, true, false, true);
            for (size_t g = 0; g < 4; ++g)
                for (size_t c = 0; c < numbers[g].size(); ++c)
                    if (gradients[g].defined())
                        numbers[g][c][t] += std::abs(gradients[g][static_cast<int64_t>(c)].item<double>());
        }
    }
    return numbers;
}

/// Sums over mini-batches and a filter's weights of `term`(w, dL_t/dw), weight by weight.
template <typename Term>
Numbers filter_numbers(const Term& term) {
    TwoHeads model;
    auto numbers = zeros();
    const std::vector<torch::Tensor> weights = {model->first->weight, model->second->weight,
                                                model->left->weight, model->right->weight};
    for (const uint64_t key : kBatches) {
        const auto losses = model->losses(key, TwoHeadsImpl::ones());
        for (size_t t = 0; t < 2; ++t) {
            const auto gradients = torch::autograd::grad({losses[t]}, weights, {}, true, false, true);
            for (size_t g = 0; g < 4; ++g) {
                if (!gradients[g].defined()) continue;
                const auto w = weights[g].detach().flatten(1).contiguous(),
                           d = gradients[g].flatten(1).contiguous();
                for (size_t c = 0; c < numbers[g].size(); ++c)
                    for (int64_t i = 0; i < w.size(1); ++i)
                        numbers[g][c][t] += term(w[static_cast<int64_t>(c)][i].item<double>(),
                                                 d[static_cast<int64_t>(c)][i].item<double>());
            }
        }
    }
    return numbers;
}

void expect_scores(const std::string& criterion, const Numbers& numbers, const VoteRule& rule = {}) {
    Heads heads(criterion);
    ASSERT_EQ(heads.pruner.asked().size(), 4U);
    for (const uint64_t key : kBatches) heads.observe(key);
    const auto found = heads.scores();
    for (const double k : {0.0601, 0.1401, 0.3301, 0.4901, 0.6201, 0.8101}) {
        const auto expected = slow_vote(numbers, kHeadUsers, k, rule);
        for (size_t g = 0; g < 4; ++g)
            for (size_t c = 0; c < numbers[g].size(); ++c)
                EXPECT_EQ(found[g][static_cast<int64_t>(c)].item<double>() > 1.0 - k, expected[g][c])
                    << criterion << " k " << k << " group " << g << " channel " << c;
    }
}

TEST(DisparseChannels, DecidesByTheGradientsOfExplicitGates) {
    const auto numbers = gate_numbers();
    EXPECT_EQ(numbers[2][0][1], 0.0) << "a head is nothing to the other task";
    expect_scores("disparse", numbers);
    expect_scores("disparse:vote=any", numbers, {Vote::any});
    expect_scores("disparse:vote=majority", numbers, {Vote::majority});
    expect_scores("disparse:votes=2", numbers, {Vote::all, 2});
}

TEST(DisparseChannels, DecidesByLoopsOverTheWeightsOfFilters) {
    expect_scores("disparse:form=abs", filter_numbers([](double w, double g) { return std::abs(w * g); }));
    const auto pretrained = filter_numbers([](double w, double g) { return std::abs(g) * w * w; });
    expect_scores("disparse:form=gradient", pretrained);
    const double size[4] = {27, 54, 5, 45};
    auto mean = pretrained, layer = pretrained;
    for (size_t g = 0; g < 4; ++g)
        for (size_t t = 0; t < 2; ++t) {
            double squares = 0;
            for (const auto& channel : pretrained[g]) squares += channel[t] * channel[t];
            for (size_t c = 0; c < mean[g].size(); ++c) {
                mean[g][c][t] /= size[g];
                if (squares > 0) layer[g][c][t] /= std::sqrt(squares);
            }
        }
    expect_scores("disparse:form=gradient,norm=mean", mean);
    expect_scores("disparse:form=gradient,norm=layer_l2", layer);
}

/// Magnitudes are the same for all tasks; they differ by what their own heads take of the best ranks.
TEST(DisparseChannels, MagnitudesNeedNoData) {
    Numbers numbers = filter_numbers([](double w, double) { return std::abs(w) / 3.0; });
    for (const size_t g : {2, 3})
        for (auto& channel : numbers[g]) channel[g - 2] = std::max(channel[0], channel[1]);
    EXPECT_FALSE(criteria().make("disparse:form=magnitude")->needs().data());
    expect_scores("disparse:form=magnitude", numbers);
}

TEST(DisparseChannels, TakesAbsoluteValuesBeforeItAddsMiniBatches) {
    Heads once("disparse"), twice("disparse");
    once.observe(1);
    twice.observe(1);
    twice.observe(1, -1.0);
    for (size_t g = 0; g < 4; ++g) {
        EXPECT_TRUE(torch::equal(once.scores()[g], twice.scores()[g]));
        EXPECT_GT(twice.scores()[g].max().item<double>(), 0.0);
    }
}

TEST(DisparseChannels, ATaskWithoutGradientsDoesNotVeto) {
    Subject one(criteria().make("disparse")), two(criteria().make("disparse"));
    one.observe_losses({one.model->losses(1)[0]});
    two.observe_losses({two.model->losses(1)[0], 0.0 * two.model->losses(1)[1]});
    for (const size_t g : one.pruner.asked())
        EXPECT_TRUE(torch::equal(one.scores()[g], two.scores()[g])) << g;
}

TEST(DisparseChannels, BudgetsAreTheLargestKeepRatioThatMeetsThem) {
    for (const double share : {0.8, 0.5, 0.25}) {
        AllocationOptions options{.scope = RankingScope::global, .budget = {BudgetUnit::macs, share}};
        Heads heads("disparse", options);
        for (const uint64_t key : kBatches) heads.observe(key);
        const auto event = heads.pruner.next(heads.pruner.evidence(heads.tensors));
        const auto scores = heads.scores();
        // All decisions that there are, the largest keep ratio first.
        const auto values = std::get<0>(torch::cat(scores).sort());
        const auto macs = [&](double threshold) {
            auto counts = channel_counts(heads.pruner.groups());
            for (size_t i = 0; i < 4; ++i)
                counts[heads.pruner.asked()[i]] =
                    std::max<int64_t>(1, (scores[i] > threshold).sum().item<int64_t>());
            return static_cast<double>(cost_of(heads.pruner.coupling(), counts).macs);
        };
        const double target = share * static_cast<double>(event.before.macs);
        EXPECT_LE(static_cast<double>(event.after.macs), target);
        double before = std::numeric_limits<double>::infinity(), best = 0;
        for (int64_t i = 0; i < values.numel() && best == 0; ++i) {
            const double now = macs(values[i].item<double>());
            EXPECT_LE(now, before) << "smaller keep ratios cost less";
            before = now;
            if (now <= target) best = now;
        }
        // Equal numbers leave one by one.
        EXPECT_GE(static_cast<double>(event.after.macs), best);
    }
}

TEST(DisparseChannels, AFloorKeepsTheChannelsThatATaskRanksHighest) {
    AllocationOptions options{
        .scope = RankingScope::global, .budget = {BudgetUnit::channels, 0.9}, .min_channels = 2};
    Heads heads("disparse", options);
    for (const uint64_t key : kBatches) heads.observe(key);
    const auto scores = heads.scores();
    const auto event = heads.pruner.next(heads.pruner.evidence(heads.tensors));
    for (size_t g = 0; g < 4; ++g) {
        ASSERT_EQ(event.widths[g], 2);
        const auto best = std::get<0>(std::get<1>(scores[g].topk(2)).sort());
        EXPECT_TRUE(torch::equal(event.kept[g], best)) << g;
    }
}

TEST(DisparseChannels, RefusesWhatHasNoMeaning) {
    EXPECT_THROW(criteria().make("disparse:votes=-1"), Error);
    EXPECT_THROW(criteria().make("disparse:vote=some"), Error);
    for (const char* form : {"gate", "abs"}) {
        Heads heads(std::string("disparse:form=") + form);
        EXPECT_THROW(heads.pruner.criterion().observe(heads.pruner.evidence(heads.tensors)), Error) << form;
    }
}

}  // namespace
}  // namespace mtlprune::disparse_channels_test
