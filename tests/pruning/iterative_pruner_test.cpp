// Masks and physical removal are the same network; schedules, state and floors.
#include "pruning/schedules/iterative_pruner.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include "base/error.h"
#include "base/random.h"
#include "training/optimizer.h"

namespace mtlprune::iterative_pruner_test {
namespace {

const std::vector<int64_t> kWidths = {6, 7, 8, 7};

PaperModel small_model(torch::Dtype type) {
    PaperNetwork config;
    config.channels = kWidths;
    config.poolings = {2};
    config.hidden = 6;
    config.dropout = 0.0;
    config.tasks = nyuv2_tasks(5);
    auto model = build(config);
    model->initialise(3);
    model->to(type);
    return model;
}

Batch batch(uint64_t key, torch::Dtype type) {
    auto generator = at::detail::createCPUGenerator(key);
    const auto normal = [&](std::vector<int64_t> shape) {
        return torch::empty(shape, torch::kDouble).normal_(0, 1, generator);
    };
    const auto mask = torch::ones({2, 1, 16, 16}, torch::kBool);
    const auto labels = (normal({2, 16, 16}).abs() * 2).clamp(0, 4).to(torch::kLong);
    return {normal({2, 3, 16, 16}).to(type),
            {{labels, mask},
             {normal({2, 3, 16, 16}).to(type), mask},
             {normal({2, 1, 16, 16}).abs().to(type), mask}},
            {0, 1}};
}

struct Training {
    Training(const std::string& criterion, Fidelity fidelity, bool mask, torch::Dtype type = torch::kDouble,
             int64_t floor = 2)
        : type(type),
          model(small_model(type)),
          optimizer(make_optimizer(model->parameters(), default_optimizer(OptimizerKind::adamw))),
          pruner(model, torch::zeros({1, 3, 16, 16}),
                 criteria().make(criterion, fidelity == Fidelity::as_released),
                 {2, lowest_of_shared(3, floor), fidelity, mask ? EditKind::mask : EditKind::remove}) {}

    void step() {
        pruner.step(batch(static_cast<uint64_t>(pruner.iteration()), type), optimizer.get());
        optimizer->step();
    }

    std::vector<torch::Tensor> predictions() {
        const torch::NoGradGuard no_grad;
        const auto features = model->features(batch(99, type).image, pruner.gates());
        std::vector<torch::Tensor> all;
        for (size_t t = 0; t < model->tasks().size(); ++t) all.push_back(model->predict(t, features));
        return all;
    }

    torch::Dtype type;
    PaperModel model;
    std::unique_ptr<torch::optim::Optimizer> optimizer;
    IterativePruner pruner;
};

class MaskedAndPhysical : public testing::TestWithParam<std::tuple<std::string, Fidelity>> {};

TEST_P(MaskedAndPhysical, AgreeAfterEveryEventWhileTraining) {
    const auto [criterion, fidelity] = GetParam();
    Training masked(criterion, fidelity, true), physical(criterion, fidelity, false);
    size_t events = 0;
    while (!physical.pruner.finished()) {
        masked.step();
        physical.step();
        if (physical.pruner.events().size() == events) continue;
        ++events;
        ASSERT_EQ(masked.pruner.events().back().removed, physical.pruner.events().back().removed)
            << "event " << events;
        EXPECT_EQ(physical.widths(*model), masked.pruner.widths());
        EXPECT_EQ(masked.widths(*model), kWidths);
        const auto a = masked.predictions(), b = physical.predictions();
        for (size_t t = 0; t < a.size(); ++t)
            EXPECT_LT(((a[t] - b[t]).abs().max() / a[t].abs().max()).item<double>(), 1e-10)
                << "event " << events << ", task " << t;
    }
    EXPECT_EQ(physical.pruner.widths(), (std::vector<int64_t>{2, 2, 2, 2}));
    EXPECT_GE(events, 6U);
}

INSTANTIATE_TEST_SUITE_P(Criteria, MaskedAndPhysical,
                         testing::Combine(testing::ValuesIn(criteria().keys()),
                                          testing::Values(Fidelity::corrected, Fidelity::as_released)),
                         [](const auto& info) {
                             return std::get<0>(info.param) + (std::get<1>(info.param) == Fidelity::corrected
                                                                   ? "_corrected"
                                                                   : "_as_released");
                         });

TEST(IterativePruner, RemovesExactlyTheRequestedNumberAtEveryEvent) {
    Training run("taylor", Fidelity::corrected, false, torch::kFloat);
    int64_t filters = 28;
    while (!run.pruner.finished()) {
        const bool due = run.pruner.due();
        run.step();
        if (due) filters = std::max<int64_t>(filters - 3, 8);
        int64_t now = 0;
        for (const int64_t width : run.pruner.widths()) now += width;
        ASSERT_EQ(now, filters);
    }
    const auto before = run.pruner.events().size();
    for (int i = 0; i < 4; ++i) run.step();
    EXPECT_EQ(run.pruner.events().size(), before) << "a finished pruner goes on training";
}

TEST(IterativePruner, TheRecordedEventsNameFiltersOfTheDenseNetwork) {
    Training run("cosprune", Fidelity::corrected, false, torch::kFloat);
    while (!run.pruner.finished()) run.step();
    for (size_t g = 0; g < kWidths.size(); ++g) {
        std::vector<bool> gone(kWidths[g], false);
        for (const auto& event : run.pruner.events())
            for (const int64_t channel : event.removed[g]) {
                ASSERT_FALSE(gone.at(channel)) << "group " << g << " channel " << channel << " left twice";
                gone[channel] = true;
            }
        EXPECT_EQ(std::count(gone.begin(), gone.end(), false), 2);
    }
}

TEST(IterativePruner, ResumesExactly) {
    for (const bool mask : {false, true})
        for (const auto& criterion : criteria().keys()) {
            Training whole(criterion, Fidelity::corrected, mask, torch::kFloat);
            for (int i = 0; i < 5; ++i) whole.step();
            PaperNetwork config = whole.model->config();
            auto model = build(config);
            {
                const torch::NoGradGuard no_grad;
                const auto saved = whole.model->named_parameters();
                for (auto& item : model->named_parameters()) item.value().copy_(saved[item.key()]);
            }
            IterativePruner resumed(
                model, torch::zeros({1, 3, 16, 16}), criteria().make(criterion),
                {2, lowest_of_shared(3, 2), Fidelity::corrected, mask ? EditKind::mask : EditKind::remove});
            resumed.load_state(whole.pruner.state());
            EXPECT_EQ(resumed.iteration(), 5);
            EXPECT_EQ(resumed.events().size(), whole.pruner.events().size());
            const auto next = batch(5, torch::kFloat);
            EXPECT_TRUE(torch::equal(resumed.step(next, nullptr), whole.pruner.step(next, nullptr)));
            ASSERT_EQ(resumed.events().size(), whole.pruner.events().size());
            EXPECT_EQ(resumed.events().back().removed, whole.pruner.events().back().removed);
        }
}

TEST(IterativePruner, AFloorOfZeroNeedsMasks) {
    EXPECT_THROW(Training("taylor", Fidelity::corrected, false, torch::kFloat, 0), Error);
    EXPECT_NO_THROW(Training("taylor", Fidelity::corrected, true, torch::kFloat, 0));
}

}  // namespace
}  // namespace mtlprune::iterative_pruner_test
