// ThiNet's and LASSO's choices and refits against definitions.
#include "pruning/criteria/reconstruction/reconstruction.h"

#include <gtest/gtest.h>
#include <torch/nn.h>

#include "pruning/evidence/layer_rows.h"
#include "pruning/network/prune.h"

namespace mtlprune::reconstruction_test {
namespace {

torch::Tensor noise(at::IntArrayRef shape, uint64_t key) {
    return torch::empty(shape, torch::kDouble).normal_(0.0, 1.0, at::detail::createCPUGenerator(key));
}

constexpr int64_t kChannels = 8, kOutputs = 5, kSide = 9;

/// first -> ReLU -> second (stride 2, dilation 2)
struct PairImpl : torch::nn::Module {
    torch::nn::Conv2d first{torch::nn::Conv2dOptions(3, kChannels, 3).padding(1)},
        second{torch::nn::Conv2dOptions(kChannels, kOutputs, 3).stride(2).padding(1).dilation(2)};
    PairImpl() {
        register_module("first", first);
        register_module("second", second);
        to(torch::kDouble);
        const torch::NoGradGuard no_grad;
        uint64_t key = 1;
        for (auto& parameter : parameters()) parameter.copy_(noise(parameter.sizes(), key++) * 0.5);
    }
    torch::Tensor hidden(const torch::Tensor& x) { return torch::relu(first(x)); }
    torch::Tensor forward(const torch::Tensor& x) { return second(hidden(x)); }
    /// Channels of which nothing reaches the second layer.
    void silence(const std::vector<int64_t>& channels) {
        const torch::NoGradGuard no_grad;
        for (const int64_t c : channels) first->bias[c].fill_(-100.0);
    }
};
TORCH_MODULE(Pair);

struct Subject {
    Pair model;
    torch::Tensor images = noise({6, 3, kSide, kSide}, 60);
    ModuleNetwork network{*model,
                          [this](const auto& in) { return std::vector{model->forward(in[0])}; },
                          {noise({1, 3, kSide, kSide}, 3)}};
    Passes passes() {
        Passes passes;
        passes.samples = images.size(0);
        passes.input = images;
        passes.outputs = [this](const torch::Tensor& x) { return std::vector{model->forward(x)}; };
        return passes;
    }
    /// Half of the first layer's channels; what the output changes by on the mini-batch.
    double error_after(const std::string& criterion) {
        const torch::NoGradGuard no_grad;
        const auto before = model->forward(images);
        report = prune(network, criteria().make(criterion), {}, {passes()});
        return (model->forward(images) - before).square().mean().item<double>();
    }
    PruneReport report;
};

TEST(GreedyRemoval, TakesTheChannelWhoseLeavingChangesLeast) {
    const auto x = noise({40, 7}, 2);
    const auto ranks = greedy_removal_ranks(x.t().mm(x));
    auto gone = torch::zeros({40}, torch::kDouble);
    std::vector<bool> left(7, false);
    for (int64_t rank = 0; rank < 7; ++rank) {
        int64_t best = -1;
        double least = 0;
        for (int64_t c = 0; c < 7; ++c) {
            const double change = (gone + x.select(1, c)).square().sum().item<double>();
            if (left[c] || (best >= 0 && change >= least)) continue;
            best = c;
            least = change;
        }
        left[best] = true;
        gone = gone + x.select(1, best);
        EXPECT_EQ(ranks[best].item<double>(), static_cast<double>(rank));
    }
}

TEST(LassoEntry, OfIndependentChannelsIsTheirVariance) {
    const auto variances = torch::tensor({0.5, 2.0, 0.0, 1.0, 0.001}, torch::kDouble);
    const auto scores = lasso_entry_scores(torch::diag(variances));
    // On a grid of 100 penalties over six decades: the next below.
    const double step = std::pow(1e-6, 0.01);
    for (int64_t c = 0; c < 5; ++c) {
        const double entry = variances[c].item<double>() / 2.0, score = scores[c].item<double>();
        EXPECT_LE(score, entry * (1 + 1e-5)) << c;
        EXPECT_GE(score, entry * step * (1 - 1e-9)) << c;
    }
    EXPECT_EQ(scores[2].item<double>(), 0.0);
}

TEST(LassoEntry, OfAChannelThatOthersGiveIsLate) {
    auto x = noise({200, 4}, 5);
    const auto covariance = (x.t().mm(x) / 200).clone();
    const auto alone = lasso_entry_scores(covariance);
    EXPECT_TRUE((alone > 0).all().item<bool>());
    auto weak = x.clone();
    weak.select(1, 2).mul_(1e-3);
    const auto scores = lasso_entry_scores(weak.t().mm(weak) / 200);
    EXPECT_EQ(scores.argmin().item<int64_t>(), 2);
}

TEST(SampleRows, TimesTheWeightsAreTheAnswers) {
    Subject subject;
    const torch::NoGradGuard no_grad;
    const auto tensors = subject.network.tensors();
    Pruner pruner(subject.network.couple({}), criteria().make("l1"), {});
    const auto evidence = pruner.evidence(tensors);
    int seen = 0;
    watch_layers(
        evidence, [&] { subject.model->forward(subject.images); },
        [&](const LayerCall& call) {
            for (const auto& use : call.uses) {
                if (use.member->role != Role::input) continue;
                ++seen;
                const auto all = sample_rows(evidence, call, *use.member, 1 << 20, 0);
                const auto answers = torch::einsum("nck,ock->no", {all.rows, all.weights});
                const auto expected =
                    call.output.permute({0, 2, 3, 1}).reshape({-1, kOutputs}) - subject.model->second->bias;
                EXPECT_TRUE(answers.allclose(expected, 1e-10, 1e-12));
                const auto some = sample_rows(evidence, call, *use.member, 10, 0);
                EXPECT_EQ(some.rows.size(0), 10);
            }
        });
    EXPECT_EQ(seen, 1);
}

class Reconstructing : public testing::TestWithParam<std::string> {};

TEST_P(Reconstructing, DropsWhatNothingReadsAndChangesNothing) {
    Subject subject;
    subject.model->silence({1, 2, 5, 7});
    EXPECT_LT(subject.error_after(GetParam()), 1e-16);
    ASSERT_EQ(subject.report.steps.size(), 1U);
    EXPECT_EQ(subject.report.steps[0].groups[0].channels, (std::vector<int64_t>{1, 2, 5, 7}));
    EXPECT_EQ(subject.report.steps[0].replaced, std::vector<std::string>{"second.weight"});
}

TEST_P(Reconstructing, RefitsBetterThanPlainRemoval) {
    Subject refitted, plain;
    const double with = refitted.error_after(GetParam()),
                 without = plain.error_after(GetParam() + ":refit=false");
    EXPECT_EQ(refitted.report.steps[0].groups[0].channels, plain.report.steps[0].groups[0].channels);
    EXPECT_LT(with, without);
    EXPECT_TRUE(plain.report.steps[0].replaced.empty());
    EXPECT_FALSE(plan_to_json(plain.report.steps[0]).contains("replaced"));
    const auto& step = refitted.report.steps[0];
    EXPECT_EQ(plan_from_json(plan_to_json(step), "plan"), step);
}

INSTANTIATE_TEST_SUITE_P(Criteria, Reconstructing, testing::Values("thinet", "channel_lasso"),
                         [](const auto& info) { return info.param; });

TEST(Refit, OfAllWeightsIsTheLeastSquaresFit) {
    Subject subject;
    const torch::NoGradGuard no_grad;
    const auto hidden = subject.model->hidden(subject.images);
    const auto answers =
        subject.model->forward(subject.images) - subject.model->second->bias.view({1, -1, 1, 1});
    subject.error_after("channel_lasso");
    std::vector<int64_t> kept;
    const auto& gone = subject.report.steps[0].groups[0].channels;
    for (int64_t c = 0; c < kChannels; ++c)
        if (std::find(gone.begin(), gone.end(), c) == gone.end()) kept.push_back(c);
    const auto a = at::im2col(hidden.index_select(1, torch::tensor(kept)), {3, 3}, {2, 2}, {1, 1}, {2, 2})
                       .permute({0, 2, 1})
                       .flatten(0, 1);
    const auto y = answers.flatten(2).permute({0, 2, 1}).flatten(0, 1);
    const auto expected = std::get<0>(at::linalg_lstsq(a, y)).t();
    EXPECT_TRUE(subject.model->second->weight.flatten(1).allclose(expected, 1e-5, 1e-7));
}

}  // namespace
}  // namespace mtlprune::reconstruction_test
