// SNIP on channels: explicit gates, loops over weights.
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <cmath>

#include "base/error.h"
#include "tests/pruning/slice_loops.h"
#include "tests/pruning/two_tasks.h"

namespace mtlprune::snip_test {
namespace {

using two_tasks::as_tensor;
using two_tasks::slice_loops;
using two_tasks::Subject;

constexpr const char* kRawGate = "snip:task_norm=false,normalise=false";

std::unique_ptr<Subject> subject_of(const std::string& criterion) {
    return std::make_unique<Subject>(criteria().make(criterion), torch::Tensor{}, /*has_norm=*/false);
}

double absolute(double x) {
    return std::abs(x);
}

TEST(Snip, OfAConvolutionWithoutBiasTheGateIsTheSumOverItsFilter) {
    const auto subject = subject_of(kRawGate);
    {
        const torch::NoGradGuard no_grad;
        subject->model->first->bias.zero_();
        subject->model->second->bias.zero_();
    }
    const auto evidence = subject->evidence(subject->model->losses(1));
    subject->pruner.criterion().observe(evidence);
    const auto ones = [](int64_t n) { return torch::ones({n}, torch::kDouble).requires_grad_(true); };
    const auto first = ones(6), second = ones(5);
    const auto losses = subject->model->gated_losses(1, first, second);
    const auto gates = torch::autograd::grad({losses[0] + losses[1]}, {first, second});
    for (const auto& [group, name] : {std::pair(0, "first.weight"), {1, "second.weight"}}) {
        const auto sums = as_tensor(slice_loops(subject->tensors.at(name), evidence.gradients.at(name), 0,
                                                [](double x) { return x; }));
        EXPECT_TRUE(torch::allclose(subject->scores()[group], sums.abs(), 1e-9, 1e-13)) << name;
        EXPECT_TRUE(torch::allclose(subject->scores()[group], gates[group].abs(), 1e-9, 1e-13)) << name;
    }
}

TEST(Snip, SumsAndMeansAreLoopsOverAllSlicesOfLayers) {
    const auto sum = subject_of("snip:form=sum"), mean = subject_of("snip:form=mean");
    const auto evidence = sum->evidence(sum->model->losses(1));
    sum->pruner.criterion().observe(evidence);
    mean->pruner.criterion().observe(evidence);
    // Weights of one channel: its filter and what reads it.
    const double weights[2] = {3 * 9 + 5 * 9, 6 * 9 + 2 + 3};
    std::vector<torch::Tensor> sums(2), means(2);
    for (size_t task = 0; task < 2; ++task) {
        const auto loop = [&](const std::string& name, int64_t dim) {
            return as_tensor(
                slice_loops(sum->tensors.at(name), evidence.task_gradients.at(name)[task], dim, absolute));
        };
        const std::vector<torch::Tensor> groups = {
            loop("first.weight", 0) + loop("second.weight", 1),
            loop("second.weight", 0) + loop("left.weight", 1) + loop("right.weight", 1)};
        const auto total = groups[0].sum() + groups[1].sum();
        const auto total_of_means = groups[0].sum() / weights[0] + groups[1].sum() / weights[1];
        for (size_t g = 0; g < 2; ++g) {
            const auto of_sum = groups[g] / total / 2, of_mean = groups[g] / weights[g] / total_of_means / 2;
            sums[g] = task == 0 ? of_sum : sums[g] + of_sum;
            means[g] = task == 0 ? of_mean : means[g] + of_mean;
        }
    }
    for (size_t g = 0; g < 2; ++g) {
        EXPECT_TRUE(torch::allclose(sum->scores()[g], sums[g], 1e-9)) << g;
        EXPECT_TRUE(torch::allclose(mean->scores()[g], means[g], 1e-9)) << g;
    }
}

TEST(Snip, AveragesBeforeAbsoluteValuesAndSnapAfter) {
    const auto snip = subject_of(kRawGate), snap = subject_of(std::string(kRawGate) + ",absolute_batches");
    std::vector<std::vector<torch::Tensor>> gates;
    for (const uint64_t key : {1, 30}) {
        auto losses = snip->model->losses(key);
        if (key > 1) losses = {-losses[0], losses[1]};
        const auto evidence = snip->evidence(losses);
        gates.push_back({gate_gradient(evidence, 0), gate_gradient(evidence, 1)});
        snip->pruner.criterion().observe(evidence);
        snap->pruner.criterion().observe(evidence);
    }
    bool differ = false;
    for (size_t g = 0; g < 2; ++g) {
        const auto of_mean = ((gates[0][g] + gates[1][g]) / 2).abs(),
                   of_absolute = (gates[0][g].abs() + gates[1][g].abs()) / 2;
        EXPECT_TRUE(torch::allclose(snip->scores()[g], of_mean, 1e-12));
        EXPECT_TRUE(torch::allclose(snap->scores()[g], of_absolute, 1e-12));
        differ = differ || !torch::allclose(of_mean, of_absolute);
    }
    EXPECT_TRUE(differ) << "the mini-batches agree in all signs";
}

TEST(Snip, ScoresOfAllChannelsAddUpToOneWhateverTheScaleOfALoss) {
    for (const char* form : {"gate", "sum", "mean"}) {
        const auto text = std::string("snip:form=") + form;
        const auto plain = subject_of(text), scaled = subject_of(text);
        const auto total = subject_of(text + ",task_norm=false"),
                   of_scaled = subject_of(text + ",task_norm=false");
        plain->observe(1);
        total->observe(1);
        auto losses = scaled->model->losses(1);
        losses[0] = losses[0] * 1e4;
        scaled->observe_losses(losses);
        losses = of_scaled->model->losses(1);
        of_scaled->observe_losses({losses[0] * 1e4, losses[1]});
        for (const auto* subject : {plain.get(), total.get()})
            EXPECT_NEAR((subject->scores()[0].sum() + subject->scores()[1].sum()).item<double>(), 1.0, 1e-12);
        for (size_t g = 0; g < 2; ++g) {
            EXPECT_TRUE(torch::allclose(plain->scores()[g], scaled->scores()[g], 1e-9)) << form;
            EXPECT_FALSE(torch::allclose(total->scores()[g], of_scaled->scores()[g], 1e-3)) << form;
        }
    }
}

TEST(Snip, LooksAtWeightsWithoutChangingThem) {
    for (const char* form : {"gate", "sum"}) {
        const auto subject = subject_of(std::string("snip:form=") + form);
        std::vector<torch::Tensor> before;
        for (const auto& parameter : subject->model->parameters())
            before.push_back(parameter.detach().clone());
        subject->observe(1);
        subject->scores();
        for (size_t i = 0; i < before.size(); ++i)
            EXPECT_TRUE(torch::equal(before[i], subject->model->parameters()[i]));
    }
}

TEST(Snip, RefusesWhatHasNoMeaning) {
    EXPECT_THROW(criteria().make("snip:form=sum,absolute_batches"), Error);
    for (const char* form : {"gate", "sum"}) {
        const auto subject = subject_of(std::string("snip:form=") + form);
        EXPECT_THROW(
            {
                subject->pruner.criterion().observe(subject->pruner.evidence(subject->tensors));
                subject->scores();
            },
            Error);
    }
}

}  // namespace
}  // namespace mtlprune::snip_test
