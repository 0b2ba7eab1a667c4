// PFP: sensitivities against loops over their definition, widths against the released rule at one error, what
// sampling promises.
#include "pruning/criteria/pfp/pfp.h"

#include <gtest/gtest.h>
#include <torch/nn.h>

#include <cmath>

#include "pruning/criteria/pfp/group_draws.h"
#include "pruning/network/prune.h"

namespace mtlprune::pfp_test {
namespace {

torch::Tensor noise(at::IntArrayRef shape, uint64_t key) {
    return torch::empty(shape, torch::kDouble).normal_(0.0, 1.0, at::detail::createCPUGenerator(key));
}

constexpr int64_t kFirst = 6, kSecond = 8, kSide = 5, kSamples = 3;

/// first -> activation -> second (stride 2, two groups where asked for) -> activation -> last and other,
/// linear over all positions. tanh gives inputs of both signs.
struct ChainImpl : torch::nn::Module {
    torch::nn::Conv2d first{torch::nn::Conv2dOptions(2, kFirst, 3).padding(1)}, second{nullptr};
    torch::nn::Linear last{kSecond * 9, 3}, other{kSecond * 9, 2};
    bool squashing;

    explicit ChainImpl(bool squashing, int64_t groups = 1)
        : second(torch::nn::Conv2dOptions(kFirst, kSecond, 3).stride(2).padding(1).groups(groups)),
          squashing(squashing) {
        register_module("first", first);
        register_module("second", second);
        register_module("last", last);
        register_module("other", other);
        to(torch::kDouble);
        const torch::NoGradGuard no_grad;
        uint64_t key = 1;
        for (auto& parameter : parameters()) parameter.copy_(noise(parameter.sizes(), key++) * 0.5);
    }
    torch::Tensor activated(const torch::Tensor& x) const {
        return squashing ? torch::tanh(x) : torch::relu(x);
    }
    torch::Tensor hidden(const torch::Tensor& x) { return activated(first(x)); }
    torch::Tensor deep(const torch::Tensor& x) { return activated(second(hidden(x))).flatten(1); }
    std::vector<torch::Tensor> forward(const torch::Tensor& x) {
        const auto features = deep(x);
        return {last(features), other(features)};
    }
};
TORCH_MODULE(Chain);

struct Subject {
    Chain model;
    torch::Tensor images = noise({kSamples, 2, kSide, kSide}, 60);
    ModuleNetwork network{
        *model, [this](const auto& in) { return model->forward(in[0]); }, {noise({1, 2, kSide, kSide}, 3)}};
    StoredTensors tensors = network.tensors();
    Pruner pruner;
    Passes own;

    explicit Subject(const std::string& criterion, bool squashing = false, AllocationOptions options = {},
                     int64_t groups = 1)
        : model(squashing, groups),
          pruner(network.couple({}), criteria().make(criterion), std::move(options)) {
        own.samples = kSamples;
        own.input = images;
        own.outputs = [this](const torch::Tensor& x) { return model->forward(x); };
    }
    Evidence evidence() {
        auto evidence = pruner.evidence(tensors);
        evidence.own_passes = &own;
        return evidence;
    }
    void observe() { pruner.criterion().observe(evidence()); }
    torch::Tensor sensitivity(int64_t group) {
        return pruner.criterion().state().at("largest." + std::to_string(group));
    }
    torch::Tensor scores(int64_t group) { return pruner.criterion().scores(evidence()).scores.at(group); }
};

double positive(double x, bool negated) {
    return std::max(negated ? -x : x, 0.0);
}

/// One sample's a [J,U,P] and weights [O,J,U]: the definition, term by term.
std::vector<double> sensitivity_by_loops(const torch::Tensor& a, const torch::Tensor& w) {
    const auto values = a.accessor<double, 3>(), weights = w.accessor<double, 3>();
    std::vector<double> s(static_cast<size_t>(a.size(0)), 0.0);
    for (const bool negative_a : {false, true})
        for (const bool negative_w : {false, true})
            for (int64_t o = 0; o < w.size(0); ++o)
                for (int64_t p = 0; p < a.size(2); ++p) {
                    const auto term = [&](int64_t j, int64_t u) {
                        return positive(values[j][u][p], negative_a) * positive(weights[o][j][u], negative_w);
                    };
                    double z = 0;
                    for (int64_t j = 0; j < a.size(0); ++j)
                        for (int64_t u = 0; u < a.size(1); ++u) z += term(j, u);
                    if (z <= 1.1920929e-7) continue;
                    for (int64_t j = 0; j < a.size(0); ++j)
                        for (int64_t u = 0; u < a.size(1); ++u) s[j] = std::max(s[j], term(j, u) / z);
                }
    return s;
}

/// What the second layer reads of a sample, [J,9,P].
torch::Tensor unfolded(const torch::Tensor& hidden, int64_t sample) {
    return at::im2col(hidden.narrow(0, sample, 1), {3, 3}, {1, 1}, {1, 1}, {2, 2}).view({kFirst, 9, -1});
}

void take_larger(std::vector<double>& all, const std::vector<double>& more) {
    all.resize(more.size(), 0.0);
    for (size_t j = 0; j < more.size(); ++j) all[j] = std::max(all[j], more[j]);
}

void expect_close(const torch::Tensor& found, const std::vector<double>& expected) {
    EXPECT_TRUE(found.allclose(torch::tensor(expected, torch::kDouble), 1e-9, 1e-12))
        << found << testing::PrintToString(expected);
}

TEST(Pfp, SensitivitiesAreTheLargestSharesOfAnyAnswer) {
    for (const bool squashing : {false, true}) {
        Subject subject("pfp", squashing);
        const torch::NoGradGuard no_grad;
        subject.observe();
        const auto hidden = subject.model->hidden(subject.images), deep = subject.model->deep(subject.images);
        std::vector<double> first, second;
        for (int64_t n = 0; n < kSamples; ++n) {
            take_larger(first,
                        sensitivity_by_loops(unfolded(hidden, n).contiguous(),
                                             subject.model->second->weight.view({kSecond, kFirst, 9})));
            for (const auto& reader : {subject.model->last, subject.model->other})
                take_larger(second, sensitivity_by_loops(deep[n].view({kSecond, 9, 1}),
                                                         reader->weight.view({-1, kSecond, 9})));
        }
        expect_close(subject.sensitivity(0), first);
        expect_close(subject.sensitivity(1), second);
        EXPECT_LE(subject.sensitivity(0).max().item<double>(), 1.0);
        // The factor of the larger of the layers: P = 9, 9 taps; P = 1, 9 positions of a channel.
        EXPECT_NEAR(subject.pruner.criterion().state().at("factor.0").item<double>(),
                    6 * std::log(8 * 10 * 9 / 1e-16), 1e-9);
        EXPECT_NEAR(subject.pruner.criterion().state().at("factor.1").item<double>(),
                    6 * std::log(8 * 2 * 9 / 1e-16), 1e-9);
    }
}

/// Its trackers and its allocator (torchprune's PFPTracker, PFPRandAllocator, expected_unique) on the same
/// network and images: sensitivities, and log10 of the largest error at which so many channels are proposed,
/// from two.
TEST(Pfp, EqualsTheReleasedCode) {
    const std::vector<double> sensitivities[] = {
        {1.000000000000, 0.896870064750, 0.876639595285, 0.746728976459, 0.971467693126, 0.976099293378},
        {1.000000000000, 0.925493095792, 0.817785998551, 0.839894344301, 0.900925928548, 0.990340402983}};
    const std::vector<double> linear[] = {{0.129072776646, 0.387526869975, 0.152064107423, 0.238619265920,
                                           0.159090644456, 0.082070824788, 0.337142388760, 0.300674797657},
                                          {0.294123429884, 0.257128361726, 0.228033339664, 0.185571681839,
                                           0.252606642908, 0.293083737789, 0.299106117998, 0.339414760361}};
    const std::vector<double> errors[] = {
        {3.9319638735, 3.6310860758, 3.4551468549, 3.1545720189, 2.9789344948},
        {3.9324903037, 3.6316123219, 3.4556729172, 3.1550975322, 2.9794594626}};
    for (const bool squashing : {false, true}) {
        Subject subject("pfp", squashing);
        subject.observe();
        const auto expected = torch::tensor(sensitivities[squashing], torch::kDouble);
        EXPECT_TRUE(subject.sensitivity(0).allclose(expected, 0, 1e-11));
        EXPECT_TRUE(
            subject.sensitivity(1).allclose(torch::tensor(linear[squashing], torch::kDouble), 0, 1e-11));
        const auto scores = std::get<0>(subject.scores(0).sort(0, /*descending=*/true));
        for (int64_t j = 1; j < kFirst; ++j)
            EXPECT_NEAR(scores[j].item<double>(), errors[squashing][j - 1], 2e-10) << j;
        EXPECT_TRUE(std::get<1>(subject.scores(0).sort()).equal(std::get<1>(expected.sort())));
    }
}

TEST(Pfp, OfGroupedConvolutionsTakesTheLargestOverGroups) {
    Subject subject("pfp", false, {}, 2);
    const torch::NoGradGuard no_grad;
    subject.observe();
    const auto hidden = subject.model->hidden(subject.images);
    std::vector<double> expected;
    for (int64_t n = 0; n < kSamples; ++n)
        for (int64_t g = 0; g < 2; ++g)
            take_larger(expected,
                        sensitivity_by_loops(
                            unfolded(hidden, n).narrow(0, g * 3, 3).contiguous(),
                            subject.model->second->weight.narrow(0, g * 4, 4).view({4, 3, 9}).contiguous()));
    ASSERT_EQ(subject.pruner.groups()[0].channels, 3) << "channel i of both groups leave together";
    expect_close(subject.sensitivity(0), expected);
}

TEST(AnswerShares, OfEveryAnswerAddUpToOne) {
    const LayerRows layer{noise({7, 4, 3}, 1), noise({5, 4, 3}, 2)};
    int64_t answers = 0;
    for (const bool negative_a : {false, true})
        for (const bool negative_w : {false, true}) {
            const auto a = (negative_a ? -layer.rows : layer.rows).clamp_min(0).flatten(1);
            const auto w = (negative_w ? -layer.weights : layer.weights).clamp_min(0).flatten(1);
            answers += (a.mm(w.t()) > 1e-6).sum().item<int64_t>();
        }
    const auto shares = answer_shares(layer);
    EXPECT_NEAR(shares.total.sum().item<double>(), static_cast<double>(answers), 1e-6);
    EXPECT_TRUE((shares.largest <= 1).all().item<bool>());
}

TEST(Pfp, ChannelsThatAreNeverReadGoFirstAndASingleOneIsAll) {
    Subject subject("pfp");
    {
        const torch::NoGradGuard no_grad;
        for (const int64_t c : {0, 1, 2, 4, 5}) subject.model->first->bias[c].fill_(-100.0);
    }
    subject.observe();
    const auto s = subject.sensitivity(0);
    EXPECT_EQ(s[3].item<double>(), 1.0);
    EXPECT_EQ(s.sum().item<double>(), 1.0);
    EXPECT_EQ(subject.scores(0).argmax().item<int64_t>(), 3);
    EXPECT_EQ((subject.scores(0) == kNoError).sum().item<int64_t>(), kFirst - 1);
    const auto others = subject.scores(1);
    EXPECT_LT(kNoError, others.index({others > kNoError}).min().item<double>());
}

/// The released allocator's k of one layer: min(I, ceil(expected distinct channels)), in plain powers.
int64_t proposed_channels(const torch::Tensor& sensitivity, double factor, double error) {
    const double sum = sensitivity.sum().item<double>();
    const double draws = std::max(1.0, std::ceil(3 * (6 + 2 * error) * sum * factor / (error * error)));
    double distinct = 0;
    for (int64_t j = 0; j < sensitivity.numel(); ++j)
        distinct += 1 - std::pow(1 - sensitivity[j].item<double>() / sum, draws);
    return std::max<int64_t>(1,
                             std::min(sensitivity.numel(), static_cast<int64_t>(std::ceil(distinct - 1e-9))));
}

TEST(Pfp, AGlobalBudgetIsMetByOneErrorForAllLayers) {
    for (const auto unit : {BudgetUnit::parameters, BudgetUnit::macs, BudgetUnit::count})
        for (const double left : {0.8, 0.6, 0.4}) {
            const double value = unit == BudgetUnit::count ? std::round(14 * (1 - left)) : left;
            Subject subject("pfp", false, {.scope = RankingScope::global, .budget = {unit, value}});
            subject.observe();
            const std::vector<torch::Tensor> s = {subject.sensitivity(0), subject.sensitivity(1)};
            const auto state = subject.pruner.criterion().state();
            const auto event = subject.pruner.next(subject.evidence());
            const double error = pfp_error(subject.pruner.last_scores(), event.kept);
            int64_t above = 0, below = 0, kept = 0;
            for (size_t g = 0; g < 2; ++g) {
                const double factor = state.at("factor." + std::to_string(g)).item<double>();
                EXPECT_EQ(proposed_channels(s[g], factor, error * (1 + 1e-9)), event.widths[g])
                    << left << " of group " << g;
                above += proposed_channels(s[g], factor, error * (1 + 1e-9));
                below += proposed_channels(s[g], factor, error * (1 - 1e-9));
                kept += event.widths[g];
                // The most sensitive ones.
                const auto least = s[g].index_select(0, event.kept[g]).min().item<double>();
                const auto gone = s[g].index_fill(0, event.kept[g], 0.0).max().item<double>();
                EXPECT_GE(least, gone);
            }
            EXPECT_EQ(above, kept);
            EXPECT_GT(below, kept) << "a smaller error keeps more";
            ASSERT_EQ(event.notes.size(), 1U);
            EXPECT_NE(event.notes[0].find("a yardstick, no bound"), std::string::npos) << event.notes[0];
        }
}

/// A channel's factor in `key`'s sequence of so many draws, 0 when it leaves.
torch::Tensor factors_of(const GroupSensitivity& group, DrawRule rule, uint64_t key, double log_error) {
    const auto draws = group_draws(group, rule, key);
    const auto kept = (draws.scores() >= log_error).nonzero().squeeze(1);
    return torch::zeros_like(group.shares.largest).index_copy(0, kept, draws.factors(kept, log_error));
}

TEST(Pfp, SampledAnswersAreRightOnAverage) {
    constexpr int64_t kChannels = 40;
    constexpr int kRepeats = 1500;
    const LayerRows layer{
        noise({5, kChannels, 2}, 1).abs() * torch::logspace(0, -1.5, kChannels).view({1, -1, 1}),
        noise({4, kChannels, 2}, 2)};
    const GroupSensitivity group{answer_shares(layer), 1.0};
    const auto added = torch::einsum("nck,ock->noc", {layer.rows, layer.weights}).flatten(0, 1);
    const auto answers = added.sum(1);
    for (const auto rule : {DrawRule::random, DrawRule::hybrid}) {
        std::vector<torch::Tensor> found;
        int64_t gone = 0;
        for (int repeat = 0; repeat < kRepeats; ++repeat) {
            const auto factors = factors_of(group, rule, mix_key(7, Stream::method, repeat), std::log10(3.0));
            gone += (factors == 0).sum().item<int64_t>();
            found.push_back(added.mv(factors));
        }
        const auto all = torch::stack(found);
        const auto error = all.std(0) / std::sqrt(kRepeats);
        EXPECT_TRUE(((all.mean(0) - answers).abs() <= 4.5 * error + 1e-9).all().item<bool>())
            << (all.mean(0) - answers) / error;
        EXPECT_GT(gone, kRepeats * 2);
    }
}

TEST(Pfp, WhatStaysAtAnErrorIsWhatTheRuleSaysOfItsDraws) {
    const LayerRows layer{noise({5, 30, 1}, 1), noise({4, 30, 1}, 2)};
    const GroupSensitivity group{answer_shares(layer), 10.0};
    int64_t at_least = 31;
    for (const auto rule : {DrawRule::top, DrawRule::random, DrawRule::hybrid}) {
        const auto draws = group_draws(group, rule, 5);
        const auto scores = draws.scores();
        for (const double error : {1.0, 3.0, 10.0, 30.0, 100.0, 300.0}) {
            const double count = draws_for(error, draws.coefficient);
            const double distinct = std::ceil(expected_distinct(draws.shares, count) - 1e-9);
            int64_t staying = 0;
            for (size_t j = 0; j < draws.order.size(); ++j) {
                const bool drawn = rule != DrawRule::top && draws.first[j] <= count;
                const bool expected = rule == DrawRule::top      ? static_cast<double>(j) < distinct
                                      : rule == DrawRule::random ? drawn
                                                                 : drawn || count * draws.shares[j] >= 1;
                const bool stays = scores[draws.order[j]].item<double>() > std::log10(error);
                EXPECT_EQ(stays, expected) << j << " at " << error;
                staying += stays;
            }
            at_least = std::min(at_least, staying);
        }
    }
    EXPECT_LT(at_least, 10);
    EXPECT_GE(at_least, 1);
}

/// 600 units of falling size that a linear layer reads with weights of both signs.
struct WideImpl : torch::nn::Module {
    static constexpr int64_t kUnits = 600;
    torch::nn::Linear first{torch::nn::LinearOptions(8, kUnits).bias(false)},
        last{torch::nn::LinearOptions(kUnits, 4).bias(false)};
    WideImpl() {
        register_module("first", first);
        register_module("last", last);
        to(torch::kDouble);
        const torch::NoGradGuard no_grad;
        const auto sizes = torch::pow(0.97, torch::arange(kUnits, torch::kDouble)).view({-1, 1});
        first->weight.copy_((noise({kUnits, 8}, 1).abs() + 0.5) * sizes);
        last->weight.copy_(noise({4, kUnits}, 2));
    }
    torch::Tensor hidden(const torch::Tensor& x) { return torch::relu(first(x)); }
    torch::Tensor forward(const torch::Tensor& x) { return last(hidden(x)); }
};
TORCH_MODULE(Wide);

torch::Tensor positive_inputs(int64_t samples, uint64_t key) {
    return noise({samples, 8}, key).abs() + 0.2;
}

/// [2, N, 4]: what positive and what negative weights answer.
torch::Tensor parts(const torch::Tensor& hidden, const torch::Tensor& weight) {
    return torch::stack({hidden.mm(weight.clamp_min(0).t()), hidden.mm((-weight).clamp_min(0).t())});
}

TEST(Pfp, AnswersOnHeldOutSamplesAreWithinTheErrorThatIsReported) {
    constexpr double kDelta = 0.01;
    for (const char* selection : {"random", "hybrid"}) {
        Wide model;
        ModuleNetwork network(*model, [&](const auto& in) { return std::vector{model->forward(in[0])}; },
                              {positive_inputs(1, 3)});
        Pruner pruner(network.couple({}),
                      criteria().make(std::string("pfp:delta=0.01,selection=") + selection),
                      {.budget = {BudgetUnit::channels, 0.65}});
        const auto tensors = network.tensors();
        auto evidence = pruner.evidence(tensors);
        Passes passes;
        passes.samples = 64;
        passes.input = positive_inputs(64, 4);
        passes.outputs = [&](const torch::Tensor& x) { return std::vector{model->forward(x)}; };
        evidence.own_passes = &passes;
        pruner.criterion().observe(evidence);
        const torch::NoGradGuard no_grad;
        const auto held_out = positive_inputs(500, 5);
        const auto before = parts(model->hidden(held_out), model->last->weight);
        const auto event = pruner.next(evidence);
        const double error = pfp_error(pruner.last_scores(), event.kept);
        EXPECT_LT(error, 1.0);
        EXPECT_GT(error, 0.1);
        EXPECT_NE(event.notes.back().find("(a bound)"), std::string::npos) << event.notes.back();
        Pruner::repair(tensors, event);
        network.apply(pruner.coupling(), event.plan);
        ASSERT_EQ(model->last->weight.size(1), 210);
        const auto after = parts(model->hidden(held_out), model->last->weight);
        const auto relative = (after - before).abs() / before;
        EXPECT_LE((relative > error).to(torch::kDouble).mean().item<double>(), kDelta) << relative.max();
        EXPECT_GT(relative.max().item<double>(), 1e-4);
    }
}

TEST(Pfp, RescalesTheSlicesThatStayAndSaysSo) {
    for (const char* selection : {"top", "random", "hybrid"}) {
        Subject subject(std::string("pfp:selection=") + selection, false,
                        {.scope = RankingScope::global, .budget = {BudgetUnit::count, 5}});
        subject.observe();
        const auto event = subject.pruner.next(subject.evidence());
        const bool scales = selection != std::string("top");
        EXPECT_EQ(event.repairs.empty(), !scales);
        for (const auto& repair : event.repairs) {
            EXPECT_EQ(repair.dim, 1);
            const auto before =
                subject.tensors.at(repair.tensor).index_select(1, torch::tensor(repair.indices)).detach();
            // One factor for all weights of a channel.
            const int64_t positions = repair.tensor == "second.weight" ? 1 : 9;
            const auto of_channels =
                (repair.values / before)
                    .transpose(0, 1)
                    .reshape({static_cast<int64_t>(repair.indices.size()) / positions, -1});
            EXPECT_LT((of_channels - of_channels.select(1, 0).unsqueeze(1)).abs().max().item<double>(), 1e-9);
            EXPECT_GE(of_channels.min().item<double>(), 0.0);
        }
    }
}

}  // namespace
}  // namespace mtlprune::pfp_test
