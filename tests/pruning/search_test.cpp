// Losses of candidates, and events that a search decides.
#include <gtest/gtest.h>

#include "base/error.h"
#include "models/eval_mode.h"
#include "pruning/search/candidate_losses.h"
#include "pruning/surgery/surgery.h"
#include "tests/paper_network.h"
#include "tests/pruning/regularized_run.h"
#include "tests/pruning/toy_networks.h"
#include "tests/pruning/two_tasks.h"
#include "training/losses.h"

namespace mtlprune::search_test {
namespace {

using Removed = std::vector<std::vector<int64_t>>;

std::vector<double> numbers(const std::vector<torch::Tensor>& losses) {
    std::vector<double> numbers;
    for (const auto& loss : losses) numbers.push_back(loss.item<double>());
    return numbers;
}

/// Of a network of the same weights that really lost the channels.
std::vector<double> losses_of_pruned(const Removed& removed, const std::vector<uint64_t>& keys) {
    two_tasks::Subject pruned(criteria().make("l1"));
    apply_plan(*pruned.model, pruned.pruner.groups(), removed);
    const EvalMode eval(*pruned.model);
    const torch::NoGradGuard no_grad;
    std::vector<double> mean(2, 0.0);
    for (const uint64_t key : keys) {
        const auto losses = numbers(pruned.model->losses(key));
        for (size_t t = 0; t < 2; ++t) mean[t] += losses[t] / static_cast<double>(keys.size());
    }
    return mean;
}

TEST(CandidateLosses, AreThoseOfTheNetworkWithoutTheChannels) {
    two_tasks::Subject subject(criteria().make("l1"));
    subject.model->train();
    const auto before = module_state(*subject.model);
    TensorMap copies;
    for (const auto& [name, tensor] : before) copies[name] = tensor.clone();
    const std::vector<uint64_t> keys = {40, 50};
    const auto& groups = subject.pruner.groups();
    {
        std::vector<Passes> batches;
        for (const uint64_t key : keys) batches.push_back(subject.model->passes(key));
        CandidateLosses candidates(groups, named_tensors(*subject.model), batches);
        Removed growing(groups.size());
        const auto expect_right = [&](const Removed& removed) {
            const auto found = candidates.without(removed), expected = losses_of_pruned(removed, keys);
            ASSERT_EQ(found.size(), 2U);
            for (size_t t = 0; t < 2; ++t) EXPECT_NEAR(found[t], expected[t], 1e-10 * expected[t]);
        };
        expect_right(growing);
        // The same weight loses rows for one group and columns for the other.
        for (const int64_t channel : {3, 0, 5}) {
            growing[0].push_back(channel);
            expect_right(growing);
        }
        growing[1] = {4, 1};
        expect_right(growing);
        growing[0] = {3};
        expect_right(growing);
        for (uint64_t key = 0; key < 6; ++key) expect_right(toy::random_removal(groups, key));
        EXPECT_FALSE(subject.model->is_training());
    }
    EXPECT_TRUE(subject.model->is_training());
    for (const auto& [name, tensor] : module_state(*subject.model))
        EXPECT_TRUE(torch::equal(tensor, copies.at(name))) << name;
}

TEST(CandidateLosses, AreMeansOverSamples) {
    two_tasks::Subject subject(criteria().make("l1"));
    const auto constant = [](int64_t samples, double loss) {
        Passes passes;
        passes.samples = samples;
        passes.losses = [loss](SampleRange) { return std::vector{torch::tensor(loss), torch::tensor(1.0)}; };
        return passes;
    };
    CandidateLosses candidates(subject.pruner.groups(), named_tensors(*subject.model),
                               {constant(3, 1.0), constant(1, 5.0)});
    EXPECT_EQ(candidates.without(Removed(subject.pruner.groups().size())), (std::vector{2.0, 1.0}));
    EXPECT_THROW(CandidateLosses(subject.pruner.groups(), named_tensors(*subject.model), {}), Error);
}

IterativePrunerOptions search_options(EditKind edit = EditKind::remove) {
    IterativePrunerOptions options{.frequency = 4, .events = 5, .observed = 2, .edit = edit};
    options.allocation.budget = {BudgetUnit::macs, 0.01};
    options.allocation.only = {kSharedGroups};
    options.allocation.min_channels = 2;
    return options;
}

constexpr const char* kGentle = "pagcp:initial_rate=0.01,initial_thres=1.05,topk=0.5";

struct SearchRun {
    explicit SearchRun(const std::string& search, const IterativePrunerOptions& options = search_options(),
                       ModelPtr pruned = drawn_model())
        : SearchRun(search.empty() ? nullptr : searches().make(search), options, std::move(pruned)) {}
    SearchRun(std::unique_ptr<Search> search, const IterativePrunerOptions& options, ModelPtr pruned)
        : model(std::move(pruned)),
          pruner(std::make_shared<IterativePruner>(model, torch::zeros({1, 3, 8, 8}), criteria().make("l1"),
                                                   options, nullptr, std::move(search))),
          trainer(model, {.optimizer = default_optimizer(OptimizerKind::adamw)}, {pruner}) {}
    static Batch batch(int64_t iteration) {
        return random_batch(static_cast<uint64_t>(iteration), 8, torch::kDouble);
    }
    void step(int64_t count = 1) {
        for (int64_t i = 0; i < count; ++i) trainer.step(batch(trainer.iteration()));
    }

    ModelPtr model;
    std::shared_ptr<IterativePruner> pruner;
    Trainer trainer;
};

void expect_equal_states(const TensorMap& found, const TensorMap& expected) {
    ASSERT_EQ(found.size(), expected.size());
    for (const auto& [name, tensor] : expected) EXPECT_TRUE(torch::equal(found.at(name), tensor)) << name;
}

/// Takes one channel, and writes down what losses it was told.
class Recorder : public Search {
  public:
    explicit Recorder(std::vector<std::vector<double>>& seen) : seen_(seen) {}
    Allocation choose(const SearchSubject& subject) const override {
        Allocation result;
        result.removed.resize(subject.groups.size());
        seen_.push_back(subject.losses(result.removed));
        seen_.push_back({static_cast<double>(subject.round)});
        result.removed[0] = {2};
        return result;
    }

  private:
    std::vector<std::vector<double>>& seen_;
};

TEST(SearchEvents, SeeTheLastMiniBatchesOfTheWindow) {
    std::vector<std::vector<double>> seen;
    SearchRun run(std::make_unique<Recorder>(seen), search_options(), drawn_model());
    run.step(3);
    // The third has moved the weights, the fourth will not before the event.
    std::vector<double> expected(3, 0.0);
    {
        auto never = search_options();
        never.frequency = 100;
        SearchRun twin(std::string(), never);
        twin.step(3);
        twin.trainer.take_gradients(SearchRun::batch(3));  // running statistics
        const EvalMode eval(*twin.model);
        const torch::NoGradGuard no_grad;
        for (const int64_t iteration : {2, 3}) {
            const auto batch = SearchRun::batch(iteration);
            const auto losses =
                task_losses(twin.model->tasks(), twin.model->forward(batch.image), batch.targets);
            for (size_t t = 0; t < 3; ++t) expected[t] += losses[t].item<double>() / 2;
        }
    }
    EXPECT_TRUE(seen.empty());
    run.step();
    ASSERT_EQ(seen.size(), 2U);
    for (size_t t = 0; t < 3; ++t) EXPECT_NEAR(seen[0].at(t), expected[t], 1e-6 * expected[t]) << t;
    ASSERT_EQ(run.pruner->events().size(), 1U);
    EXPECT_EQ(run.pruner->events()[0].removed[0], std::vector<int64_t>{2});
    run.step(4);
    EXPECT_EQ(seen.at(3), std::vector<double>{1.0});
    EXPECT_EQ(run.pruner->events().at(1).removed[0], std::vector<int64_t>{3})
        << "as the dense network counts";
}

/// The event is that of somebody who chose the same channels without a search.
TEST(SearchEvents, LeaveNoTraceOfTheSearch) {
    for (const auto edit : {EditKind::remove, EditKind::mask}) {
        SearchRun searched(kGentle, search_options(edit));
        searched.step(4);
        ASSERT_EQ(searched.pruner->events().size(), 1U);
        const auto removed = searched.pruner->events()[0].removed;
        SearchRun forced(std::string(), search_options(edit));
        forced.step(3);
        forced.pruner->force_next_selection(removed);
        forced.step();
        EXPECT_NE(removed, Removed(removed.size()));
        auto found = searched.trainer.state(), expected = forced.trainer.state();
        for (auto* state : {&found, &expected}) state->erase("pruner.events");
        expect_equal_states(found, expected);
    }
}

TEST(SearchEvents, MaskedAndRemovedChooseTheSame) {
    SearchRun removed(kGentle, search_options(EditKind::remove)),
        masked(kGentle, search_options(EditKind::mask));
    removed.step(12);
    masked.step(12);
    ASSERT_GE(removed.pruner->events().size(), 2U);
    ASSERT_EQ(removed.pruner->events().size(), masked.pruner->events().size());
    for (size_t i = 0; i < removed.pruner->events().size(); ++i)
        EXPECT_EQ(removed.pruner->events()[i].removed, masked.pruner->events()[i].removed) << i;
}

/// Killed between two of the mini-batches that the next search looks at.
TEST(SearchEvents, ResumeExactly) {
    for (const auto edit : {EditKind::remove, EditKind::mask}) {
        SearchRun whole(kGentle, search_options(edit)), again(kGentle, search_options(edit));
        whole.step(7);
        again.step(7);
        ASSERT_EQ(whole.pruner->events().size(), 1U);
        const auto model = drawn_model();
        if (edit == EditKind::remove) replay(*model, {whole.pruner->events()[0].plan});
        SearchRun resumed(kGentle, search_options(edit), model);
        resumed.trainer.load_state(whole.trainer.state());
        for (auto* run : {&whole, &again, &resumed}) run->step(3);
        ASSERT_EQ(whole.pruner->events().size(), 2U);
        EXPECT_EQ(resumed.pruner->events()[1].notes, whole.pruner->events()[1].notes);
        expect_equal_states(resumed.trainer.state(), whole.trainer.state());
        expect_equal_states(again.trainer.state(), whole.trainer.state());
    }
}

/// Takes the first channels of the widest group of those that may shrink.
class FirstOfWidest : public Search {
  public:
    explicit FirstOfWidest(int64_t count) : count_(count) {}
    Allocation choose(const SearchSubject& subject) const override {
        size_t widest = subject.groups.size();
        for (const size_t g : open_groups(subject.coupling, subject.groups, subject.allocation))
            if (widest == subject.groups.size() ||
                subject.groups[g].channels > subject.groups[widest].channels)
                widest = g;
        Allocation result;
        result.removed.resize(subject.groups.size());
        auto counts = channel_counts(subject.groups);
        result.before = cost_of(subject.coupling, counts);
        counts.at(widest) -= count_;
        result.after = cost_of(subject.coupling, counts);
        for (int64_t c = 0; c < count_; ++c) result.removed[widest].push_back(c);
        return result;
    }

  private:
    int64_t count_;
};

TEST(SearchEvents, EndWhenTheBudgetIsMet) {
    for (const auto& [unit, value, enough] :
         {std::tuple(BudgetUnit::macs, 0.7, 0.3), std::tuple(BudgetUnit::parameters, 0.8, 0.2),
          std::tuple(BudgetUnit::channels, 0.4, 0.4), std::tuple(BudgetUnit::count, 5.0, 5.0)}) {
        auto options = search_options();
        options.frequency = 1;
        options.events = 50;
        options.allocation.budget = {unit, value};
        SearchRun run(std::make_unique<FirstOfWidest>(2), options, drawn_model());
        const auto dense = run.pruner->pruner().cost();
        int64_t all = 0;
        for (const int64_t width : run.pruner->widths()) all += width;
        const auto reached = [&, unit = unit] {
            int64_t left = 0;
            for (const int64_t width : run.pruner->widths()) left += width;
            const auto cost = run.pruner->pruner().cost();
            const std::map<BudgetUnit, double> reached = {
                {BudgetUnit::macs, 1.0 - double(cost.macs) / double(dense.macs)},
                {BudgetUnit::parameters, 1.0 - double(cost.parameters) / double(dense.parameters)},
                {BudgetUnit::channels, double(all - left) / double(all)},
                {BudgetUnit::count, double(all - left)}};
            return reached.at(unit);
        };
        while (reached() < enough) {
            EXPECT_FALSE(run.pruner->finished());
            run.step();
        }
        EXPECT_TRUE(run.pruner->finished());
        const auto before = run.pruner->events().size();
        EXPECT_GT(before, 1U);
        run.step(2);
        EXPECT_EQ(run.pruner->events().size(), before);
    }
}

TEST(SearchEvents, MayFindNothing) {
    auto options = search_options();
    options.events = 2;
    SearchRun run(std::make_unique<FirstOfWidest>(0), options, drawn_model());
    SearchRun plain(std::string(), [] {
        auto never = search_options();
        never.frequency = 100;
        return never;
    }());
    run.step(8);
    plain.step(8);
    ASSERT_TRUE(run.pruner->finished());
    EXPECT_EQ(run.pruner->events().size(), 2U);
    for (const auto& [name, tensor] : module_state(*plain.model))
        EXPECT_TRUE(torch::equal(module_state(*run.model).at(name), tensor)) << name;
}

/// The released update goes backward through the network after the search.
TEST(SearchEvents, GoWithTheReleasedUpdate) {
    PaperNetwork config;
    config.channels = {6, 7, 8, 7};
    config.poolings = {2};
    config.hidden = 6;
    config.dropout = 0.0;
    config.tasks = nyuv2_tasks(5);
    auto options = search_options();
    options.update = Fidelity::as_released;
    const auto run = [&](const Removed& forced) {
        const auto model = build(config);
        model->initialise(3);
        model->to(torch::kDouble);
        const auto pruner = std::make_shared<IterativePruner>(
            model, torch::zeros({1, 3, 16, 16}), criteria().make("taylor"), options, nullptr,
            forced.empty() ? searches().make("pagcp:initial_thres=1.5") : nullptr);
        Trainer trainer(model, {}, {pruner});
        if (!forced.empty()) pruner->force_next_selection(forced);
        for (uint64_t i = 0; i < 4; ++i) trainer.step(random_batch(i, 16, torch::kDouble));
        return std::pair(pruner->events().at(0).removed, module_state(*model));
    };
    const auto [removed, searched] = run({});
    expect_equal_states(run(removed).second, searched);
}

}  // namespace
}  // namespace mtlprune::search_test
