// The forms of Taylor importance beside the gate's: by loops, by gates, by differences of the loss.
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <cmath>

#include "base/error.h"
#include "tests/pruning/slice_loops.h"
#include "tests/pruning/two_tasks.h"

namespace mtlprune::taylor_forms_test {
namespace {

using two_tasks::as_tensor;
using two_tasks::slice_loops;
using two_tasks::Subject;

torch::Tensor ones(int64_t count) {
    return torch::ones({count}, torch::kDouble);
}

void expect_close(const torch::Tensor& found, const torch::Tensor& expected, const std::string& what = "") {
    EXPECT_TRUE(torch::allclose(found, expected, 1e-9, 1e-14)) << what << "\n" << found << expected;
}

/// Scores of one criterion after one mini-batch.
std::vector<torch::Tensor> scores_of(const std::string& criterion, bool as_released = false) {
    Subject subject(criteria().make(criterion, as_released));
    subject.observe(1);
    return subject.scores();
}

struct Loops {
    Loops()
        : subject(criteria().make("l2")), gradients(subject.evidence(subject.model->losses(1)).gradients) {}
    template <typename Term>
    torch::Tensor of(const std::string& name, int64_t dim, const Term& term) const {
        return as_tensor(slice_loops(subject.tensors.at(name), gradients.at(name), dim, term));
    }
    torch::Tensor product(const std::string& name) const {
        return subject.tensors.at(name).detach() * gradients.at(name);
    }
    Subject subject;
    std::map<std::string, torch::Tensor> gradients;
};

double plain(double x) {
    return x;
}
double square(double x) {
    return x * x;
}
double absolute(double x) {
    return std::abs(x);
}

TEST(TaylorWeight, OfProducersAreLoopsOverTheirFilters) {
    const Loops loops;
    const auto options = std::string(",members=producers,reduction=sum,normaliser=none");
    for (const auto& [group, name] : {std::pair(0, "first.weight"), {1, "second.weight"}}) {
        expect_close(scores_of("taylor_weight:form=absolute" + options)[group], loops.of(name, 0, absolute));
        expect_close(scores_of("taylor_weight:form=squared" + options)[group], loops.of(name, 0, square));
        expect_close(scores_of("taylor_weight:form=multivariable" + options)[group],
                     loops.of(name, 0, plain).abs());
    }
}

TEST(TaylorWeight, OverAllMembersTheNormCountsAsReleasedItDoesNot) {
    const Loops loops;
    const auto first = loops.of("first.weight", 0, absolute), reader = loops.of("second.weight", 1, absolute);
    const auto norm = loops.product("norm.weight").abs();
    const auto mean = [](const torch::Tensor& scores) { return scores / scores.mean(); };
    expect_close(scores_of("taylor_weight:normaliser=none")[0], (first + norm + reader) / 3);
    expect_close(scores_of("taylor_weight:normaliser=none", true)[0], (first + reader) / 2);
    expect_close(scores_of("taylor_weight")[0], mean(first + norm + reader));
    expect_close(scores_of("taylor_weight:form=squared,reduction=sum")[0],
                 mean(loops.of("first.weight", 0, square) + loops.product("norm.weight").square() +
                      loops.of("second.weight", 1, square)));
    expect_close(scores_of("taylor_weight")[1],
                 mean(loops.of("second.weight", 0, absolute) + loops.of("left.weight", 1, absolute) +
                      loops.of("right.weight", 1, absolute)));
}

TEST(TaylorWeight, AveragesGradientsOrScores) {
    const auto options = std::string("taylor_weight:form=squared,members=producers,normaliser=none");
    Subject gradients(criteria().make(options)), sums(criteria().make(options + ",average=scores"));
    std::vector<torch::Tensor> observed;
    for (const uint64_t key : {1, 30}) {
        const auto evidence = gradients.evidence(gradients.model->losses(key));
        observed.push_back(evidence.gradients.at("second.weight"));
        gradients.pruner.criterion().observe(evidence);
        sums.pruner.criterion().observe(evidence);
    }
    const auto loop = [&](const torch::Tensor& gradient) {
        return as_tensor(slice_loops(gradients.model->second->weight, gradient, 0, square));
    };
    expect_close(gradients.scores()[1], loop((observed[0] + observed[1]) / 2));
    expect_close(sums.scores()[1], (loop(observed[0]) + loop(observed[1])) / 2);
}

TEST(TaylorWeight, GoesWithTheScaleOfTheLoss) {
    for (const auto& [form, factor] :
         {std::pair("absolute", 2.0), {"squared", 4.0}, {"multivariable", 2.0}}) {
        const auto text = std::string("taylor_weight:normaliser=none,form=") + form;
        Subject once(criteria().make(text)), twice(criteria().make(text));
        once.observe(1);
        auto losses = twice.model->losses(1);
        for (auto& loss : losses) loss = loss * 2;
        twice.observe_losses(losses);
        for (const size_t g : once.pruner.asked()) expect_close(twice.scores()[g], once.scores()[g] * factor);
    }
}

TEST(TaylorWeight, RefusesWhatHasNoGradientsOrNoMeaning) {
    Subject subject(criteria().make("taylor_weight"));
    subject.pruner.criterion().observe(subject.pruner.evidence(subject.tensors));
    EXPECT_THROW(subject.scores(), Error);
    for (const char* options : {"momentum=0.9", "window=false", "momentum=1.0,average=scores",
                                "momentum=0.9,window=false,average=scores"})
        EXPECT_THROW(criteria().make(std::string("taylor_weight:") + options), Error) << options;
}

/// Squared gradients of gates behind the activations.
std::vector<torch::Tensor> gate_scores() {
    Subject subject(criteria().make("taylor"));
    const auto first = ones(6).requires_grad_(true), second = ones(5).requires_grad_(true);
    const auto losses = subject.model->gated_losses(1, first, second);
    auto gradients = torch::autograd::grad({losses[0] + losses[1]}, {first, second});
    for (auto& gradient : gradients) gradient = gradient.square();
    return gradients;
}

TEST(TaylorBatchNorm, EqualsTheGateBehindTheNorm) {
    const auto gates = gate_scores();
    EXPECT_GT(gates[0].min().item<double>(), 1e-12);
    expect_close(scores_of("taylor_bn")[0], gates[0]);
    expect_close(scores_of("taylor")[0], gates[0]);
}

TEST(TaylorBatchNorm, AsReleasedTheShiftIsMissing) {
    const Loops loops;
    const auto scale = loops.product("norm.weight"), shift = loops.product("norm.bias");
    expect_close(scores_of("taylor_bn")[0], (scale + shift).square());
    expect_close(scores_of("taylor_bn", true)[0], scale.square());
    EXPECT_GT(shift.abs().min().item<double>(), 1e-6);
}

TEST(TaylorBatchNorm, SaysWhereThereIsNone) {
    Subject subject(criteria().make("taylor_bn")), strict(criteria().make("taylor_bn:replace_missing=false"));
    subject.observe(1);
    expect_close(subject.scores()[1], gate_scores()[1]);
    EXPECT_EQ(subject.result().notes,
              std::vector<std::string>{"group second has no batch norm with weights: scored by taylor"});
    EXPECT_THROW(strict.observe(1), Error);
}

TEST(Taylor, EqualsADifferenceOfTheLoss) {
    Subject subject(criteria().make("taylor"));
    subject.observe(1);
    const double step = 1e-6;
    const auto loss = [&](const torch::Tensor& first, const torch::Tensor& second) {
        const torch::NoGradGuard no_grad;
        const auto losses = subject.model->gated_losses(1, first, second);
        return (losses[0] + losses[1]).item<double>();
    };
    const double whole = loss(ones(6), ones(5));
    for (int64_t c = 0; c < 6; ++c) {
        auto gate = ones(6);
        gate[c] = 1 - step;
        const double score = std::pow((whole - loss(gate, ones(5))) / step, 2);
        EXPECT_NEAR(subject.scores()[0][c].item<double>() / score, 1.0, 1e-3) << c;
    }
    for (int64_t c = 0; c < 5; ++c) {
        auto gate = ones(5);
        gate[c] = 1 - step;
        const double score = std::pow((whole - loss(ones(6), gate)) / step, 2);
        EXPECT_NEAR(subject.scores()[1][c].item<double>() / score, 1.0, 1e-3) << c;
    }
}

TEST(Taylor, IsExactForALossThatIsLinearInTheGate) {
    Subject subject(criteria().make("taylor"));
    const auto x = two_tasks::normal_noise({2, 3, 6, 6}, 1), head = two_tasks::normal_noise({2, 3, 6, 6}, 2);
    const auto loss = [&](const torch::Tensor& gate) {
        return (subject.model->gated(x, ones(6), gate)[1] * head).sum();
    };
    subject.observe_losses({loss(ones(5))});
    for (int64_t c = 0; c < 5; ++c) {
        auto gate = ones(5);
        gate[c] = 0;
        const auto change = loss(ones(5)) - loss(gate);
        EXPECT_NEAR(subject.scores()[1][c].item<double>() / change.square().item<double>(), 1.0, 1e-9) << c;
    }
}

TEST(Taylor, MomentumMixesTheScoresOfEvents) {
    for (const auto& text : {std::string("taylor:momentum=0.9"), std::string("taylor_bn:momentum=0.9"),
                             std::string("taylor_weight:momentum=0.9,average=scores,normaliser=none")}) {
        auto without = text;
        without.replace(without.find("0.9"), 3, "0.0");
        Subject subject(criteria().make(text));
        subject.observe(1);
        subject.observe(20);
        const auto first = subject.scores()[0];
        const auto event = subject.pruner.event_of(subject.pruner.evidence(subject.tensors), {{1, 4}, {0}});
        subject.network.apply(subject.pruner.coupling(), event.plan);
        subject.pruner.carried_out(event);
        subject.observe(40);
        const auto fresh = criteria().make(without);
        fresh->observe(subject.evidence(subject.model->losses(40)));
        const auto second = fresh->scores(subject.pruner.evidence(subject.tensors)).scores[0];
        expect_close(subject.scores()[0],
                     0.9 * first.index_select(0, torch::tensor({0, 2, 3, 5})) + 0.1 * second, text);
        EXPECT_FALSE(torch::allclose(second, subject.scores()[0]));
    }
}

TEST(Magnitude, OfThe2017PaperLooksAtTheFiltersAlone) {
    const Loops loops;
    const auto weight = loops.subject.model->first->weight;
    const auto options = std::string(":reduction=first,normaliser=none");
    expect_close(scores_of("l1" + options)[0],
                 as_tensor(slice_loops(weight, torch::ones_like(weight), 0, absolute)));
    expect_close(scores_of("l2" + options)[0],
                 as_tensor(slice_loops(weight, torch::ones_like(weight), 0, square)));
}

}  // namespace
}  // namespace mtlprune::taylor_forms_test
