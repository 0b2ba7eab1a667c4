// Masks and physical removal are the same network; schedules, state and floors.
#include "pruning/schedules/iterative_pruner.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include "base/error.h"
#include "base/random.h"
#include "tests/paper_network.h"
#include "tests/pruning/criterion_forms.h"
#include "tests/pruning/pruning_run.h"

namespace mtlprune::iterative_pruner_test {
namespace {

const std::vector<int64_t> kWidths = {6, 7, 8, 7};

PaperNetwork small_config() {
    PaperNetwork config;
    config.channels = kWidths;
    config.poolings = {2};
    config.hidden = 6;
    config.dropout = 0.0;
    config.tasks = nyuv2_tasks(5);
    return config;
}

PaperModel small_model(torch::Dtype type) {
    auto model = build(small_config());
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

IterativePrunerOptions options(Fidelity fidelity, bool mask, int64_t floor = 2) {
    return {.frequency = 2,
            .allocation = lowest_of_shared(3, floor),
            .edit = mask ? EditKind::mask : EditKind::remove,
            .update = fidelity};
}

struct Training : PruningRun {
    Training(const std::string& criterion, Fidelity fidelity, bool mask, torch::Dtype type = torch::kDouble,
             int64_t floor = 2)
        : Training(small_model(type), criterion, fidelity, mask, floor) {}
    Training(const PaperModel& model, const std::string& criterion, Fidelity fidelity, bool mask,
             int64_t floor)
        : PruningRun(model, torch::zeros({1, 3, 16, 16}),
                     criteria().make(criterion, fidelity == Fidelity::as_released),
                     options(fidelity, mask, floor)),
          type(model->parameters().front().scalar_type()),
          model(model) {}

    void step() { trainer->step(batch(static_cast<uint64_t>(pruner->iteration()), type)); }

    std::vector<torch::Tensor> predictions() const {
        const torch::NoGradGuard no_grad;
        return model->forward(batch(99, type).image);
    }

    torch::Dtype type;
    PaperModel model;
};

class MaskedAndPhysical : public testing::TestWithParam<std::tuple<std::string, Fidelity>> {};

TEST_P(MaskedAndPhysical, AgreeAfterEveryEventWhileTraining) {
    const auto [criterion, fidelity] = GetParam();
    Training masked(criterion, fidelity, true), physical(criterion, fidelity, false);
    size_t events = 0;
    while (!physical.pruner->finished()) {
        masked.step();
        physical.step();
        if (physical.pruner->events().size() == events) continue;
        ++events;
        ASSERT_EQ(masked.pruner->events().back().removed, physical.pruner->events().back().removed)
            << "event " << events;
        EXPECT_EQ(widths(*physical.model), masked.pruner->widths());
        EXPECT_EQ(widths(*masked.model), kWidths);
        const auto a = masked.predictions(), b = physical.predictions();
        for (size_t t = 0; t < a.size(); ++t)
            EXPECT_LT(((a[t] - b[t]).abs().max() / a[t].abs().max()).item<double>(), 1e-10)
                << "event " << events << ", task " << t;
    }
    EXPECT_EQ(physical.pruner->widths(), (std::vector<int64_t>{2, 2, 2, 2}));
    EXPECT_GE(events, 6U);
}

INSTANTIATE_TEST_SUITE_P(Criteria, MaskedAndPhysical,
                         testing::Combine(testing::ValuesIn(criteria_and_forms()),
                                          testing::Values(Fidelity::corrected, Fidelity::as_released)),
                         [](const auto& info) {
                             return test_name(std::get<0>(info.param)) +
                                    (std::get<1>(info.param) == Fidelity::corrected ? "_corrected"
                                                                                    : "_as_released");
                         });

TEST(IterativePruner, RemovesExactlyTheRequestedNumberAtEveryEvent) {
    Training run("taylor", Fidelity::corrected, false, torch::kFloat);
    int64_t filters = 28;
    while (!run.pruner->finished()) {
        const bool due = run.pruner->due();
        run.step();
        if (due) filters = std::max<int64_t>(filters - 3, 8);
        int64_t now = 0;
        for (const int64_t width : run.pruner->widths()) now += width;
        ASSERT_EQ(now, filters);
    }
    const auto before = run.pruner->events().size();
    for (int i = 0; i < 4; ++i) run.step();
    EXPECT_EQ(run.pruner->events().size(), before) << "a finished pruner goes on training";
}

TEST(IterativePruner, TheRecordedEventsNameFiltersOfTheDenseNetwork) {
    Training run("cosprune", Fidelity::corrected, false, torch::kFloat);
    while (!run.pruner->finished()) run.step();
    for (size_t g = 0; g < kWidths.size(); ++g) {
        std::vector<bool> gone(kWidths[g], false);
        for (const auto& event : run.pruner->events())
            for (const int64_t channel : event.removed[g]) {
                ASSERT_FALSE(gone.at(channel)) << "group " << g << " channel " << channel << " left twice";
                gone[channel] = true;
            }
        EXPECT_EQ(std::count(gone.begin(), gone.end(), false), 2);
    }
}

class Resumed : public testing::TestWithParam<std::tuple<std::string, bool>> {};

TEST_P(Resumed, GoesOnAsIfItHadNotStopped) {
    const auto& [criterion, mask] = GetParam();
    Training whole(criterion, Fidelity::corrected, mask, torch::kFloat);
    for (int i = 0; i < 5; ++i) whole.step();
    PaperNetwork config = small_config();
    config.channels = widths(*whole.model);
    Training resumed(build(config), criterion, Fidelity::corrected, mask, 2);
    resumed.trainer->load_state(whole.trainer->state());
    EXPECT_EQ(resumed.pruner->iteration(), 5);
    EXPECT_EQ(resumed.pruner->events().size(), whole.pruner->events().size());
    for (int i = 0; i < 3; ++i) {
        whole.step();
        resumed.step();
    }
    ASSERT_EQ(resumed.pruner->events().size(), whole.pruner->events().size());
    EXPECT_EQ(resumed.pruner->events().back().removed, whole.pruner->events().back().removed);
    EXPECT_EQ(resumed.pruner->events().back().after, whole.pruner->events().back().after);
    for (size_t i = 0; i < whole.model->parameters().size(); ++i)
        EXPECT_TRUE(resumed.model->parameters()[i].equal(whole.model->parameters()[i])) << criterion;
}

INSTANTIATE_TEST_SUITE_P(Criteria, Resumed,
                         testing::Combine(testing::ValuesIn(criteria_and_forms()), testing::Bool()),
                         [](const auto& info) {
                             return test_name(std::get<0>(info.param)) +
                                    (std::get<1>(info.param) ? "_masked" : "_removed");
                         });

TEST(IterativePruner, MaskedWeightsStayZeroWhileTraining) {
    Training run("taylor", Fidelity::corrected, true, torch::kFloat);
    for (int i = 0; i < 6; ++i) run.step();
    ASSERT_EQ(run.pruner->events().size(), 3U);
    const auto alive = run.alive();
    for (size_t layer = 0; layer < alive.size(); ++layer) {
        const auto& weight = vgg(*run.model).convolutions[layer]->weight;
        const auto used = weight.detach().flatten(1).abs().sum(1) > 0;
        EXPECT_TRUE(used.equal(alive[layer])) << "layer " << layer;
    }
}

TEST(IterativePruner, StopsAtTheFloorAtACapOrAfterSomeEvents) {
    const auto run_to_the_end = [](int64_t iterations, int64_t events) {
        auto chosen = options(Fidelity::corrected, false);
        chosen.iterations = iterations;
        chosen.events = events;
        PruningRun run(small_model(torch::kFloat), torch::zeros({1, 3, 16, 16}), criteria().make("l1"),
                       chosen);
        EXPECT_EQ(run.pruner->expected_events(), events > 0 ? events : 7);
        run.trainer->run([next = uint64_t{0}]() mutable { return batch(next++, torch::kFloat); });
        return std::pair(run.pruner->events().size(), run.trainer->iteration());
    };
    EXPECT_EQ(run_to_the_end(0, 0), std::pair(size_t{7}, int64_t{15}));
    EXPECT_EQ(run_to_the_end(5, 0), std::pair(size_t{2}, int64_t{5}));
    EXPECT_EQ(run_to_the_end(0, 1), std::pair(size_t{1}, int64_t{3}));
}

TEST(IterativePruner, CanForgetMomentsAfterAnEvent) {
    for (const bool reset : {false, true}) {
        auto chosen = options(Fidelity::corrected, false);
        chosen.reset_optimizer = reset;
        PruningRun run(small_model(torch::kFloat), torch::zeros({1, 3, 16, 16}), criteria().make("l1"),
                       chosen);
        for (uint64_t i = 0; i < 2; ++i) run.trainer->step(batch(i, torch::kFloat));
        EXPECT_EQ(run.trainer->optimizer().state().empty(), reset);
    }
}

/// The tasks' own layers may shrink too.
TEST(IterativePruner, PrunesHeadsWhenTheAllocationLetsIt) {
    for (const std::string criterion : {"taylor", "l1"}) {
        auto chosen = options(Fidelity::corrected, false);
        chosen.allocation.only = {"heads\\..*"};
        PruningRun run(small_model(torch::kDouble), torch::zeros({1, 3, 16, 16}), criteria().make(criterion),
                       chosen);
        const auto before = run.pruner->pruner().cost();
        for (uint64_t i = 0; i < 4; ++i) run.trainer->step(batch(i, torch::kDouble));
        EXPECT_LT(run.pruner->pruner().cost().parameters, before.parameters) << criterion;
    }
}

TEST(IterativePruner, AFloorOfZeroNeedsMasks) {
    EXPECT_THROW(Training("taylor", Fidelity::corrected, false, torch::kFloat, 0), Error);
    EXPECT_NO_THROW(Training("taylor", Fidelity::corrected, true, torch::kFloat, 0));
}

/// The weights after an event with each quirk alone: none is the same as another's or as without any.
TEST(IterativePruner, EveryQuirkOfTheReleasedLoopCanBeSwitchedAlone) {
    const auto weights_with = [](Fidelity update, const std::string& criterion) {
        PruningRun run(small_model(torch::kDouble), torch::zeros({1, 3, 16, 16}), criteria().make(criterion),
                       options(update, false));
        for (uint64_t i = 0; i < 6; ++i) run.trainer->step(batch(i, torch::kDouble));
        std::vector<std::vector<int64_t>> removed;
        for (const auto& event : run.pruner->events())
            removed.insert(removed.end(), event.removed.begin(), event.removed.end());
        double sum = 0;
        for (const auto& parameter : run.trainer->model().parameters())
            sum += parameter.abs().sum().item<double>();
        return std::pair(removed, sum);
    };
    const auto plain = weights_with(Fidelity::corrected, "taylor");
    EXPECT_EQ(weights_with(Fidelity::corrected, "taylor"), plain);
    const std::vector<std::pair<std::vector<std::vector<int64_t>>, double>> quirks = {
        weights_with(Fidelity::as_released, "taylor"),
        weights_with(Fidelity::corrected, "taylor:window=false"),
        weights_with(Fidelity::corrected, "taylor:accumulate_gates=true")};
    for (size_t i = 0; i < quirks.size(); ++i) {
        EXPECT_NE(quirks[i], plain) << i;
        for (size_t j = 0; j < i; ++j) EXPECT_NE(quirks[i], quirks[j]) << i << ", " << j;
    }
}

}  // namespace
}  // namespace mtlprune::iterative_pruner_test
