// Criteria that run passes of their own, against explicit loops on a chain of two convolutions and a linear
// layer.
#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/linalg.h>
#include <torch/nn.h>

#include "base/error.h"
#include "pruning/criteria/matrix_rank.h"
#include "pruning/evidence/layer_watch.h"
#include "pruning/network/prune.h"

namespace mtlprune::pass_criteria_test {
namespace {

constexpr int64_t kFirst = 5, kSecond = 4, kClasses = 3, kSide = 6;

torch::Tensor noise(at::IntArrayRef shape, uint64_t key) {
    return torch::empty(shape, torch::kDouble).normal_(0.0, 1.0, at::detail::createCPUGenerator(key));
}

/// first -> activation -> second -> activation -> mean over positions -> last
struct ChainImpl : torch::nn::Module {
    torch::nn::Conv2d first{torch::nn::Conv2dOptions(2, kFirst, 3).padding(1).bias(false)},
        second{torch::nn::Conv2dOptions(kFirst, kSecond, 3).padding(1).bias(false)};
    torch::nn::Linear last{torch::nn::LinearOptions(kSecond, kClasses).bias(false)};
    bool smooth = false;

    ChainImpl() {
        register_module("first", first);
        register_module("second", second);
        register_module("last", last);
        to(torch::kDouble);
        const torch::NoGradGuard no_grad;
        uint64_t key = 1;
        for (auto& parameter : parameters()) parameter.copy_(noise(parameter.sizes(), key++) * 0.5);
    }
    torch::Tensor activated(const torch::Tensor& x) const {
        return smooth ? torch::softplus(x) : torch::relu(x);
    }
    torch::Tensor hidden(const torch::Tensor& x) { return activated(first(x)); }
    torch::Tensor forward(const torch::Tensor& x) {
        return last(activated(second(hidden(x))).mean(at::IntArrayRef{2, 3}));
    }
};
TORCH_MODULE(Chain);

struct Subject {
    Chain model;
    torch::Tensor images, targets;
    ModuleNetwork network{*model,
                          [this](const auto& in) { return std::vector{model->forward(in[0])}; },
                          {noise({1, 2, kSide, kSide}, 3)}};

    explicit Subject(int64_t samples = 4)
        : images(noise({samples, 2, kSide, kSide}, 50)), targets(noise({samples, kClasses}, 51)) {}

    torch::Tensor loss(int64_t begin, int64_t end) {
        const auto out = model->forward(images.slice(0, begin, end));
        return (out - targets.slice(0, begin, end)).square().sum(1).mean();
    }
    Passes passes() {
        Passes passes;
        passes.samples = images.size(0);
        passes.input = images;
        passes.outputs = [this](const torch::Tensor& x) { return std::vector{model->forward(x)}; };
        passes.losses = [this](SampleRange rows) { return std::vector{loss(rows.begin, rows.end)}; };
        passes.drawn_losses = [this](SampleRange rows, uint64_t) {
            return std::vector{loss(rows.begin, rows.end)};
        };
        passes.in_mode = [](bool) { return std::shared_ptr<void>(); };
        return passes;
    }
    /// Of the groups first and second, after one mini-batch.
    std::vector<torch::Tensor> scores(const std::string& criterion) {
        const auto tensors = network.tensors();
        Pruner pruner(network.couple({}), criteria().make(criterion), {});
        auto evidence = pruner.evidence(tensors);
        const auto mine = passes();
        evidence.own_passes = &mine;
        if (!pruner.criterion().needs().passes)
            add_gradients(evidence, pruner.criterion().needs(), {loss(0, images.size(0))}, tensors);
        pruner.criterion().observe(evidence);
        const auto all = pruner.criterion().scores(pruner.evidence(tensors)).scores;
        return {all.at(0), all.at(1)};
    }
};

/// Squared gradients of every sample's own loss, averaged.
torch::Tensor explicit_fisher(Subject& subject, const torch::Tensor& weight) {
    auto sum = torch::zeros_like(weight);
    for (int64_t n = 0; n < subject.images.size(0); ++n)
        sum = sum + torch::autograd::grad({subject.loss(n, n + 1)}, {weight})[0].square();
    return sum / static_cast<double>(subject.images.size(0));
}

torch::Tensor over_filters(const torch::Tensor& values) {
    return values.flatten(1).sum(1);
}

torch::Tensor over_inputs(const torch::Tensor& values) {
    return over_filters(values.transpose(0, 1));
}

void expect_close(const torch::Tensor& found, const torch::Tensor& expected, double tolerance = 1e-9) {
    EXPECT_TRUE(torch::allclose(found, expected, tolerance, 1e-12)) << found << expected;
}

TEST(Obd, SumsWeightsTimesFisherOverReadersAndProducers) {
    Subject subject;
    const auto &first = subject.model->first->weight, &second = subject.model->second->weight;
    const auto of_first = first.square() * explicit_fisher(subject, first);
    const auto of_second = second.square() * explicit_fisher(subject, second);
    const auto both = (over_filters(of_first) + over_inputs(of_second)) / 2;
    expect_close(subject.scores("obd_hessian")[0], (both / both.mean()).detach());
    expect_close(subject.scores("obd_c")[0], over_filters(of_first).detach());
    expect_close(subject.scores("obd_c")[1], over_filters(of_second).detach());
}

TEST(Obd, IsAMeanOverSamples) {
    Subject once(3), twice(3);
    twice.images = torch::cat({twice.images, twice.images});
    twice.targets = torch::cat({twice.targets, twice.targets});
    for (const char* criterion : {"obd_hessian", "obd_c"})
        expect_close(twice.scores(criterion)[0], once.scores(criterion)[0]);
}

TEST(Obd, LooksAtNoMoreSamplesThanAsked) {
    Subject all(4), two(4);
    two.images = two.images.narrow(0, 0, 2);
    two.targets = two.targets.narrow(0, 0, 2);
    expect_close(all.scores("obd_c:samples=2")[0], two.scores("obd_c")[0]);
    EXPECT_FALSE(all.scores("obd_c")[0].allclose(two.scores("obd_c")[0]));
}

TEST(TaylorSample, AveragesSquaresOfSamples) {
    Subject subject;
    const auto& weight = subject.model->first->weight;
    auto expected = torch::zeros({kFirst}, torch::kDouble);
    for (int64_t n = 0; n < 4; ++n) {
        const auto gradient = torch::autograd::grad({subject.loss(n, n + 1)}, {weight})[0];
        expected = expected + over_filters(weight * gradient).detach().square() / 4;
    }
    expect_close(subject.scores("taylor_sample")[0], expected);
    EXPECT_FALSE(subject.scores("taylor")[0].allclose(expected));
}

TEST(TaylorOutput, MultipliesActivationsAndTheirGradients) {
    Subject subject;
    auto expected = torch::zeros({kFirst}, torch::kDouble);
    for (int64_t n = 0; n < 4; ++n) {
        const auto hidden =
            subject.model->hidden(subject.images.slice(0, n, n + 1)).detach().requires_grad_();
        const auto out =
            subject.model->last(torch::relu(subject.model->second(hidden)).mean(at::IntArrayRef{2, 3}));
        const auto loss = (out - subject.targets.slice(0, n, n + 1)).square().sum();
        const auto gradient = torch::autograd::grad({loss}, {hidden})[0];
        expected = expected + (hidden * gradient).detach().mean(at::IntArrayRef{0, 2, 3}).abs() / 4;
    }
    expect_close(subject.scores("taylor_output")[0], expected / expected.norm());
}

TEST(Activation, CountsAndAveragesWhatIsRead) {
    Subject subject;
    const torch::NoGradGuard no_grad;
    const auto hidden = subject.model->hidden(subject.images);
    expect_close(subject.scores("apoz")[0], (hidden > 0).to(torch::kDouble).mean(at::IntArrayRef{0, 2, 3}));
    expect_close(subject.scores("mean_activation")[0], hidden.mean(at::IntArrayRef{0, 2, 3}));
    const auto pooled = torch::relu(subject.model->second(hidden))
                            .mean(at::IntArrayRef{2, 3});  // what the linear layer reads
    expect_close(subject.scores("mean_activation")[1], pooled.mean(0));
    subject.model->first->weight[2].fill_(0);
    EXPECT_EQ(subject.scores("apoz")[0].argmin().item<int64_t>(), 2);
    EXPECT_EQ(subject.scores("apoz")[0][2].item<double>(), 0);
}

TEST(MatrixRanks, EqualLibTorchs) {
    std::vector<torch::Tensor> matrices;
    for (int64_t rank = 0; rank <= 5; ++rank)
        matrices.push_back(noise({5, rank}, 7).mm(noise({rank, 9}, 8)).to(torch::kFloat));
    for (const bool transposed : {false, true}) {
        auto all = torch::stack(matrices);
        if (transposed) all = all.transpose(1, 2);
        const auto ranks = matrix_ranks(all);
        EXPECT_TRUE(ranks.equal(torch::arange(6))) << ranks;
        EXPECT_TRUE(
            ranks.equal(torch::linalg::matrix_rank(all, c10::optional<double>(), c10::nullopt, false)));
    }
}

TEST(HRank, AveragesTheRanksOfMaps) {
    Subject subject;
    const torch::NoGradGuard no_grad;
    subject.model->first->weight[1].fill_(0);
    const auto tensors = subject.network.tensors();
    AllocationOptions only;
    only.only = {"first"};
    Pruner pruner(subject.network.couple({}), criteria().make("hrank"), only);
    auto evidence = pruner.evidence(tensors);
    const auto passes = subject.passes();
    evidence.own_passes = &passes;
    pruner.criterion().observe(evidence);
    const auto found = pruner.criterion().scores(pruner.evidence(tensors)).scores.at(0);
    const auto maps = subject.model->hidden(subject.images).to(torch::kFloat);
    const auto ranks = torch::linalg::matrix_rank(maps, c10::optional<double>(), c10::nullopt, false);
    expect_close(found, ranks.to(torch::kDouble).mean(0) / kSide);
    EXPECT_EQ(found[1].item<double>(), 0);
}

TEST(HRank, RefusesWhatHasNoMaps) {
    Subject subject;  // the linear layer reads single positions
    try {
        subject.scores("hrank");
        FAIL();
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("group second"), std::string::npos) << error.what();
    }
}

TEST(SynFlow, GateIsTheFlowThroughFiltersAndThroughReaders) {
    Subject subject;
    const auto before = subject.model->first->weight.clone();
    const auto found = subject.scores("synflow");
    EXPECT_TRUE(subject.model->first->weight.equal(before));
    EXPECT_EQ(subject.model->first->weight.scalar_type(), torch::kDouble);

    Chain absolute;
    {
        const torch::NoGradGuard no_grad;
        for (auto& parameter : absolute->parameters()) parameter.abs_();
    }
    const auto flow = absolute->forward(torch::ones({1, 2, kSide, kSide}, torch::kDouble)).sum();
    const std::vector<torch::Tensor> weights = {absolute->first->weight, absolute->second->weight,
                                                absolute->last->weight};
    const auto gradients = torch::autograd::grad({flow}, weights);
    const auto through = [&](size_t i) { return (weights[i] * gradients[i]).detach(); };
    expect_close(found[0], over_filters(through(0)));
    expect_close(found[0], over_inputs(through(1)));
    expect_close(found[1], over_inputs(through(2)));
    for (size_t i = 0; i < 3; ++i)  // conservation
        EXPECT_NEAR(through(i).sum().item<double>(), flow.item<double>(), 1e-9 * flow.item<double>());
}

TEST(GraSP, TakesTheHessianTimesTheGradient) {
    Subject subject;
    subject.model->smooth = true;
    const auto parameters = subject.model->parameters();
    const auto gradients = [&] { return torch::autograd::grad({subject.loss(0, 4)}, parameters); };
    const auto g = gradients();
    constexpr double kStep = 1e-6;
    const auto moved = [&](double step) {
        const torch::NoGradGuard no_grad;
        for (size_t i = 0; i < g.size(); ++i) parameters[i].data().add_(g[i], step);
    };
    moved(kStep);
    const auto above = gradients();
    moved(-2 * kStep);
    const auto below = gradients();
    moved(kStep);
    const auto product = [&](size_t i) {
        return (parameters[i] * (above[i] - below[i]) / (2 * kStep)).detach();
    };
    const auto of_first = over_filters(product(0)) + over_inputs(product(1));
    const auto of_second = over_filters(product(1)) + over_inputs(product(2));
    const auto total = (of_first.sum() + of_second.sum()).abs();
    const auto found = subject.scores("grasp");
    EXPECT_TRUE(found[0].allclose(of_first / total, 1e-5, 1e-7)) << found[0] << of_first / total;
    EXPECT_TRUE(found[1].allclose(of_second / total, 1e-5, 1e-7));
}

TEST(LayerWatch, ShowsLayersInOrderWithWhatTheyReadAndGive) {
    Subject subject;
    const auto tensors = subject.network.tensors();
    Pruner pruner(subject.network.couple({}), criteria().make("l1"), {});
    const auto evidence = pruner.evidence(tensors);
    std::vector<std::string> seen;
    torch::Tensor read, given;
    watch_layers(
        evidence, [&] { subject.model->forward(subject.images); },
        [&](const LayerCall& call) {
            seen.push_back(call.weight);
            if (call.weight != "second.weight") return;
            given = call.output;
            for (const auto& use : call.uses)
                if (use.member->role == Role::input) read = channels_read(call, *use.member);
        });
    EXPECT_EQ(seen, (std::vector<std::string>{"first.weight", "second.weight", "last.weight"}));
    const auto hidden = subject.model->hidden(subject.images);
    EXPECT_TRUE(read.equal(hidden.flatten(2)));
    EXPECT_TRUE(given.allclose(subject.model->second(hidden)));
}

TEST(LayerWatch, ThrowsWhatTheVisitorThrows) {
    Subject subject;
    const auto tensors = subject.network.tensors();
    Pruner pruner(subject.network.couple({}), criteria().make("l1"), {});
    const auto evidence = pruner.evidence(tensors);
    int calls = 0;
    const auto visit = [&](const LayerCall&) {
        ++calls;
        throw Error("refused");
    };
    EXPECT_THROW(watch_layers(
                     evidence, [&] { subject.model->forward(subject.images); }, visit),
                 Error);
    EXPECT_EQ(calls, 1);
    subject.model->forward(subject.images);
    EXPECT_EQ(calls, 1);
}

TEST(PassCriteria, SayThatLossesAreNotEnough) {
    Subject subject;
    const std::vector<Passes> batches = {BatchLosses([&] { return std::vector{subject.loss(0, 4)}; })};
    EXPECT_NO_THROW(prune(subject.network, criteria().make("taylor"), {}, batches));
    Subject other;
    EXPECT_THROW(prune(other.network, criteria().make("apoz"), {}, batches), Error);
    auto without = other.passes();
    without.drawn_losses = nullptr;
    EXPECT_THROW(prune(other.network, criteria().make("obd_c"), {}, {without}), Error);
    without.losses = nullptr;
    for (const char* criterion : {"obd_hessian", "grasp", "taylor_sample", "taylor_output"})
        EXPECT_THROW(prune(other.network, criteria().make(criterion), {}, {without}), Error) << criterion;
}

}  // namespace
}  // namespace mtlprune::pass_criteria_test
