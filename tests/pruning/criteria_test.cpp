// Properties that every registered criterion must have, and closed forms of those that need gradients.
#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/nn.h>

#include "base/error.h"
#include "pruning/evidence/task_cosines.h"
#include "tests/pruning/criterion_forms.h"
#include "tests/pruning/two_tasks.h"

namespace mtlprune::criteria_test {
namespace {

using two_tasks::Subject;

torch::Tensor noise(const std::vector<int64_t>& shape, uint64_t key) {
    return two_tasks::normal_noise(shape, key);
}

class EveryCriterion : public testing::TestWithParam<std::tuple<std::string, bool>> {
  protected:
    static std::unique_ptr<Criterion> make() {
        return criteria().make(std::get<0>(GetParam()), std::get<1>(GetParam()));
    }
    static bool looks() {
        const auto needs = make()->needs();
        return needs.weights || needs.data();
    }
};

TEST_P(EveryCriterion, PermutesWithTheChannels) {
    const auto order = torch::tensor({4, 2, 0, 5, 3, 1});
    Subject plain(make()), shuffled(make(), order);
    for (uint64_t step = 0; step < 3; ++step)
        for (auto* subject : {&plain, &shuffled}) subject->observe(100 * step);
    const auto expected = looks() ? plain.scores()[0].index_select(0, order) : plain.scores()[0];
    EXPECT_TRUE(torch::allclose(expected, shuffled.scores()[0], 1e-9, 1e-12));
    EXPECT_TRUE(torch::allclose(plain.scores()[1], shuffled.scores()[1], 1e-9, 1e-12));
}

TEST_P(EveryCriterion, IsDeterministicDoubleAndFinite) {
    Subject a(make()), b(make());
    a.observe(1);
    b.observe(1);
    ASSERT_EQ(a.pruner.asked().size(), 2U);
    for (const size_t g : a.pruner.asked()) {
        EXPECT_TRUE(torch::equal(a.scores()[g], b.scores()[g]));
        EXPECT_EQ(a.scores()[g].scalar_type(), torch::kDouble);
        EXPECT_EQ(a.scores()[g].numel(), a.pruner.groups()[g].channels);
        EXPECT_TRUE(a.scores()[g].isfinite().all().item<bool>());
    }
}

TEST_P(EveryCriterion, StateSurvivesACheckpoint) {
    Subject kept(make()), restored(make());
    kept.observe(1);
    restored.pruner.load_state(kept.pruner.state());
    kept.observe(50);
    restored.observe(50);
    EXPECT_TRUE(torch::equal(kept.scores()[0], restored.scores()[0]));
}

TEST_P(EveryCriterion, MasksAreScoredAsIfTheyWereRemoved) {
    Subject removed(make()), masked(make());
    Pruner with_masks(masked.network.couple({}), make(), {}, EditKind::mask);
    removed.observe(1);
    masked.observe(1);
    with_masks.load_state(masked.pruner.state());
    const std::vector<std::vector<int64_t>> leaving = {{1, 3, 4}, {0}};
    const auto event = removed.pruner.event_of(removed.pruner.evidence(removed.tensors), leaving);
    removed.network.apply(removed.pruner.coupling(), event.plan);
    removed.pruner.carried_out(event);
    const auto mask = with_masks.event_of(with_masks.evidence(masked.tensors), leaving);
    masked.network.apply(with_masks.coupling(), mask.plan);
    with_masks.carried_out(mask);
    EXPECT_EQ(with_masks.widths(), removed.pruner.widths());
    if (make()->needs().data()) {
        // The mean since the event, or over what was observed before it for the channels that stay.
        const auto states = std::pair(removed.pruner.state(), with_masks.state());
        for (const auto& [name, tensor] : states.first)
            EXPECT_TRUE(torch::equal(tensor, states.second.at(name))) << name;
        return;
    }
    const auto expected = removed.scores(),
               found = with_masks.criterion().scores(with_masks.evidence(masked.tensors)).scores;
    for (const size_t g : with_masks.asked())
        EXPECT_TRUE(torch::allclose(found[g], expected[g], 1e-12, 1e-14)) << g;
}

TEST_P(EveryCriterion, NeedsDataAsItSays) {
    Subject subject(make());
    if (make()->needs().data())
        EXPECT_THROW(subject.scores(), Error);
    else
        EXPECT_NO_THROW(subject.scores());
}

TEST_P(EveryCriterion, PrunesAModuleInStepsAndNeverEmptiesALayer) {
    if (make()->needs().gates) GTEST_SKIP() << "reads explicit gates, which only the training loop has";
    for (const auto edit : {EditKind::remove, EditKind::mask}) {
        Subject subject(make());
        PruneOptions options{
            .allocation = {.scope = RankingScope::global, .budget = {BudgetUnit::channels, 0.9}},
            .steps = 3,
            .edit = edit};
        std::vector<Passes> batches;
        for (uint64_t key : {5, 6}) batches.push_back(subject.model->passes(key));
        const auto report = prune(subject.network, make(), options, batches);
        EXPECT_EQ(report.removed_channels, 9);
        EXPECT_LT(report.error, 1e-9);
        EXPECT_EQ(report.after == report.before, edit == EditKind::mask);
        EXPECT_EQ(subject.model->first->weight.size(0) + subject.model->second->weight.size(0),
                  edit == EditKind::mask ? 11 : 2);
    }
}

INSTANTIATE_TEST_SUITE_P(Registered, EveryCriterion,
                         testing::Combine(testing::ValuesIn(criteria_and_forms()), testing::Bool()),
                         [](const auto& info) {
                             return test_name(std::get<0>(info.param)) +
                                    (std::get<1>(info.param) ? "_as_released" : "_corrected");
                         });

TEST(Criteria, AnUnknownNameSuggestsTheNearest) {
    for (const auto& [text, hint] : {std::pair("tailor", "did you mean 'taylor'"),
                                     {"bnscale", "did you mean 'bn_scale'"},
                                     {"taylor:windw=false", "did you mean 'window'"},
                                     {"taylor:window=3", "true or false"},
                                     {"l1:reduction=median", "one of mean, sum, max, first"},
                                     {"l1:", "KEY:OPTION=VALUE"}})
        try {
            criteria().make(text);
            ADD_FAILURE() << text << " was accepted";
        } catch (const Error& error) {
            EXPECT_NE(std::string(error.what()).find(hint), std::string::npos) << error.what();
        }
}

TEST(Taylor, GateGradientEqualsThatOfAnExplicitGate) {
    auto conv = torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 5, 3).padding(1));
    conv->to(torch::kDouble);
    const auto gate = torch::ones({5}, torch::kDouble).requires_grad_(true);
    const auto x = noise({2, 3, 8, 8}, 4), head = noise({2, 5, 4, 4}, 5);
    const auto loss = [&](const torch::Tensor& g) {
        const auto y = torch::max_pool2d(torch::relu(conv->forward(x)), 2) * g.view({1, -1, 1, 1});
        return (y * head).sum() + (y * y).sum();
    };
    loss(gate).backward();
    Group group{"conv", 5, {}, {}, false, ""};
    for (const char* name : {"weight", "bias"})
        group.members.push_back(
            {name, 0, Role::output, false, 1, {0, 1, 2, 3, 4}, "aten::conv2d", name[0] == 'w' ? 1 : 2});
    const StoredTensors tensors = {{"weight", conv->weight}, {"bias", conv->bias}};
    const TracedGraph graph;
    const std::vector<Group> groups = {group};
    const Evidence::Structure structure(graph, groups);
    Evidence evidence(structure, groups, {0}, tensors);
    evidence.gradients = {{"weight", conv->weight.grad()}, {"bias", conv->bias.grad()}};
    EXPECT_TRUE(torch::allclose(gate_gradient(evidence, 0), gate.grad(), 1e-10, 1e-12));
}

/// conv - BN - ReLU - conv - BN, added to the input (or to a projected one), ReLU: the basic block of ResNet.
struct BlockImpl : torch::nn::Module {
    explicit BlockImpl(bool project) : project(project) {
        register_module("stem", stem);
        register_module("stem_norm", stem_norm);
        register_module("first", first);
        register_module("first_norm", first_norm);
        register_module("second", second);
        register_module("second_norm", second_norm);
        if (project) {
            register_module("shortcut", shortcut);
            register_module("shortcut_norm", shortcut_norm);
        }
        register_module("last", last);
        const torch::NoGradGuard no_grad;
        uint64_t key = 11;
        to(torch::kDouble);
        for (auto& parameter : parameters()) parameter.copy_(noise(parameter.sizes().vec(), key++) * 0.5);
    }
    /// `inner` gates the block's hidden channels, `stream` those of everything that is added up.
    torch::Tensor forward(torch::Tensor x, const torch::Tensor& inner, const torch::Tensor& stream) {
        const auto gated = [](const torch::Tensor& y, const torch::Tensor& gate) {
            return y * gate.view({1, -1, 1, 1});
        };
        x = stem_norm(stem(std::move(x)));
        if (!project) x = gated(x, stream);
        x = torch::relu(x);
        auto y = gated(torch::relu(first_norm(first(x))), inner);
        y = gated(second_norm(second(y)), stream);
        const auto kept = project ? gated(shortcut_norm(shortcut(x)), stream) : x;
        return last(torch::relu(y + kept));
    }
    static torch::nn::Conv2d conv(int64_t in, int64_t out) {
        return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, 3).padding(1).bias(false));
    }
    bool project;
    torch::nn::Conv2d stem = conv(3, 4), first = conv(4, 5), second = conv(5, 4), shortcut = conv(4, 4),
                      last = conv(4, 2);
    torch::nn::BatchNorm2d stem_norm{4}, first_norm{5}, second_norm{4}, shortcut_norm{4};
};
TORCH_MODULE(Block);

TEST(Taylor, BehindBatchNormsInTrainingModeTheGateIsThatOfTheNorm) {
    for (const bool project : {false, true}) {
        Block block(project);
        const auto ones = [](int64_t n) { return torch::ones({n}, torch::kDouble); };
        ModuleNetwork network(
            *block, [&](const auto& in) { return std::vector{block->forward(in[0], ones(5), ones(4))}; },
            {noise({2, 3, 6, 6}, 3)});
        Pruner pruner(network.couple({}), criteria().make("taylor"), {});
        block->train();
        const auto tensors = network.tensors();
        const auto inner = ones(5).requires_grad_(true), stream = ones(4).requires_grad_(true);
        const auto target = noise({2, 2, 6, 6}, 9);
        const auto loss = (block->forward(noise({2, 3, 6, 6}, 8), inner, stream) - target).square().sum();
        const auto expected = torch::autograd::grad({loss}, {inner, stream}, {}, /*retain_graph=*/true);
        auto evidence = pruner.evidence(tensors);
        add_gradients(evidence, {.gradients = true}, {loss}, tensors);
        for (size_t i = 0; i < pruner.asked().size(); ++i) {
            const auto& group = pruner.groups()[pruner.asked()[i]];
            const bool is_inner = group.name == "first";
            if (project && group.name == "stem") continue;  // has no gate here
            const auto& gate = is_inner ? expected[0] : expected[1];
            EXPECT_GT(gate.abs().min().item<double>(), 1e-6);
            EXPECT_TRUE(torch::allclose(gate_gradient(evidence, i), gate, 1e-9, 1e-11))
                << group.name << project;
        }
    }
}

torch::Tensor cosine_of(const std::vector<torch::Tensor>& gradients) {
    return mean_pairwise_cosine(task_gram(gradients));
}

TEST(CosPrune, ClosedFormForThreeDirections) {
    const auto at = [](double x, double y) { return torch::tensor({{x, y}}, torch::kDouble); };
    EXPECT_NEAR(cosine_of({at(1, 0), at(0, 1), at(-1, 0)}).item<double>(), -1.0 / 3.0, 1e-15);
    EXPECT_NEAR(cosine_of({at(2, 1), at(2, 1), at(2, 1)}).item<double>(), 1.0, 1e-15);
    EXPECT_NEAR(cosine_of({at(2, 1), at(-4, -2)}).item<double>(), -1.0, 1e-15);
}

TEST(CosPrune, IgnoresThePositiveScaleOfEveryTask) {
    const auto a = noise({5, 3, 3, 3}, 1), b = noise({5, 3, 3, 3}, 2), c = noise({5, 3, 3, 3}, 3);
    EXPECT_TRUE(torch::allclose(cosine_of({a, b, c}), cosine_of({a * 1e-12, b * 7, c * 1e9}), 1e-12, 1e-14));
}

TEST(CosPrune, AZeroGradientGivesZero) {
    const auto a = noise({2, 9}, 1);
    EXPECT_EQ(cosine_of({a, torch::zeros_like(a)}).abs().max().item<double>(), 0.0);
}

TEST(CosPrune, ChannelsLastGradientsGiveTheSameCosines) {
    const auto a = noise({6, 5, 3, 3}, 1), b = noise({6, 5, 3, 3}, 2);
    const auto last = torch::MemoryFormat::ChannelsLast;
    EXPECT_TRUE(
        torch::allclose(cosine_of({a, b}), cosine_of({a.contiguous(last), b.contiguous(last)}), 1e-13));
    EXPECT_TRUE(torch::allclose(cosine_of({a, b}), cosine_of({a.contiguous(last), b}), 1e-13))
        << "mixed layouts";
}

TEST(CosPrune, NeedsTwoTasks) {
    Subject subject(criteria().make("cosprune"));
    auto evidence = subject.pruner.evidence(subject.tensors);
    add_gradients(evidence, {.task_gradients = true}, {subject.model->losses(1)[0]}, subject.tensors);
    EXPECT_THROW(subject.pruner.criterion().observe(evidence), Error);
}

TEST(Taylor, AccumulatesAsDocumentedInBothFidelities) {
    // n identical batches: corrected = g^2; as released = g^2 mean_k (3k - 1)^2, k = 1..n.
    Subject corrected(criteria().make("taylor")), released(criteria().make("taylor", /*as_released=*/true));
    auto evidence = corrected.pruner.evidence(corrected.tensors);
    add_gradients(evidence, {.gradients = true}, corrected.model->losses(1), corrected.tensors);
    const auto gate = gate_gradient(evidence, 0);
    double factor = 0.0;
    for (int k = 1; k <= 4; ++k) {
        corrected.observe(1);
        released.observe(1);
        factor += std::pow(3.0 * k - 1.0, 2) / 4.0;
    }
    EXPECT_TRUE(torch::allclose(corrected.scores()[0], gate.square(), 1e-9));
    EXPECT_TRUE(torch::allclose(released.scores()[0], gate.square() * factor, 1e-9));
}

}  // namespace
}  // namespace mtlprune::criteria_test
