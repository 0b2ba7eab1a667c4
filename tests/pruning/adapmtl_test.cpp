// Soft thresholds of filters' norms: loops over weights, finite differences.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <tuple>

#include "pruning/regularizers/soft_thresholds.h"
#include "tests/pruning/regularized_run.h"
#include "tests/training/tiny_training.h"
#include "training/losses.h"

namespace mtlprune::adapmtl_test {
namespace {

constexpr int64_t kFloor = 2;

OptimizerConfig plain(double lr, double decay = 0.0) {
    return {.kind = OptimizerKind::sgd, .lr = lr, .weight_decay = decay, .momentum = 0.0};
}

/// Heads shrink too; `count` channels leave at every event.
IterativePrunerOptions all_parts(int64_t frequency, int64_t events, int64_t count = 1000) {
    auto options = five_of_shared(frequency, events);
    options.allocation.only = {};
    options.allocation.budget.value = static_cast<double>(count);
    return options;
}

/// Producers' weights of a group.
std::vector<const Member*> filters_of(const Group& group, const Model& model) {
    const auto parameters = parameters_by_name(model);
    std::vector<const Member*> filters;
    for (const auto& member : group.members)
        if (member.role == Role::output && parameters.contains(member.tensor) &&
            parameters.at(member.tensor).dim() > 1)
            filters.push_back(&member);
    return filters;
}

/// Root mean square of a channel's weights, one by one.
double norm_of(const Group& group, int64_t channel, const Model& model, const TensorMap& weights) {
    double squares = 0.0, count = 0.0;
    for (const Member* member : filters_of(group, model))
        for (const int64_t index : member->channel(channel)) {
            const auto slice = weights.at(member->tensor).select(member->dim, index).contiguous();
            for (int64_t i = 0; i < slice.numel(); ++i) {
                squares += std::pow(slice.data_ptr<double>()[i], 2);
                ++count;
            }
        }
    return std::sqrt(squares / count);
}

std::string head_of(const Group& group) {
    for (const char* task : {"segmentation", "normals", "depth"})
        if (group.name.starts_with(std::string("heads.") + task)) return task;
    return "backbone";
}

/// What thresholds make of stored weights.
struct Slow {
    TensorMap effective;
    std::vector<std::vector<double>> margins;  ///< [group][channel]
    int64_t pruned = 0;
    bool is_lowered = false;

    Slow(const RegularizedRun& run, const TensorMap& stored, const std::vector<double>& s) {
        effective = copied(stored);
        std::vector<std::string> parts;
        for (const size_t g : run.pruner->pruner().asked()) {
            const auto& group = run.groups()[g];
            if (std::find(parts.begin(), parts.end(), head_of(group)) == parts.end())
                parts.push_back(head_of(group));
            const auto part = std::find(parts.begin(), parts.end(), head_of(group)) - parts.begin();
            add(run, group, 1.0 / (1.0 + std::exp(-s.at(static_cast<size_t>(part)))), stored);
        }
    }

    void add(const RegularizedRun& run, const Group& group, double tau, const TensorMap& stored) {
        std::vector<double> norms;
        for (int64_t c = 0; c < group.channels; ++c) norms.push_back(norm_of(group, c, *run.model, stored));
        auto sorted = norms;
        std::sort(sorted.begin(), sorted.end(), std::greater<>());
        const double most = sorted[kFloor - 1] * (1.0 - 1e-6);
        is_lowered = is_lowered || most < tau;
        tau = std::min(tau, most);
        auto& of_group = margins.emplace_back();
        for (int64_t c = 0; c < group.channels; ++c) {
            const double norm = norms[static_cast<size_t>(c)], factor = std::max(1.0 - tau / norm, 0.0);
            of_group.push_back(norm - tau);
            pruned += factor == 0.0 ? 1 : 0;
            for (const Member* member : filters_of(group, *run.model))
                for (const int64_t index : member->channel(c))
                    effective.at(member->tensor).select(member->dim, index).mul_(factor);
        }
    }
};

TensorMap stored_of(const RegularizedRun& run) {
    return copied(entries_of("pruner.regularizer.stored.", run.trainer.state()));
}

std::vector<double> s_of(const RegularizedRun& run) {
    const auto s = run.trainer.state().at("pruner.regularizer.s").clone();
    return {s.data_ptr<double>(), s.data_ptr<double>() + s.numel()};
}

/// Just below what leaves every group of the network as drawn two channels: some are pruned, no threshold is
/// lowered.
std::string start_that_prunes() {
    const RegularizedRun run(drawn_model(), "", all_parts(50, 1));
    TensorMap weights;
    for (const auto& [name, parameter] : parameters_by_name(*run.model)) weights[name] = parameter.detach();
    double least = std::numeric_limits<double>::infinity();
    for (const size_t g : run.pruner->pruner().asked()) {
        std::vector<double> norms;
        for (int64_t c = 0; c < run.groups()[g].channels; ++c)
            norms.push_back(norm_of(run.groups()[g], c, *run.model, weights));
        std::sort(norms.begin(), norms.end(), std::greater<>());
        least = std::min(least, norms[kFloor - 1]);
    }
    const double tau = 0.98 * least;
    return "adapmtl:start=" + std::to_string(std::log(tau / (1.0 - tau)));
}

TEST(AdapMtl, EffectiveWeightsAreTheStoredOnesUnderTheThreshold) {
    for (const std::string& text : {start_that_prunes(), std::string("adapmtl:start=-1.0")}) {
        RegularizedRun run(drawn_model(), text, all_parts(50, 1), plain(0.01, 0.1));
        for (int i = 0; i < 4; ++i) {
            run.step();
            const Slow slow(run, stored_of(run), s_of(run));
            EXPECT_EQ(s_of(run).size(), 4U);
            EXPECT_GT(slow.pruned, 0);
            EXPECT_EQ(slow.is_lowered, text == "adapmtl:start=-1.0");
            for (const auto& [name, expected] : slow.effective) {
                const auto found = parameters_by_name(*run.model).at(name).detach();
                EXPECT_TRUE(torch::allclose(found, expected, 1e-10, 1e-14)) << name;
                EXPECT_TRUE(torch::equal(found == 0.0, expected == 0.0)) << name;
            }
        }
    }
}

double loss_of(const RegularizedRun& run, const Batch& batch) {
    const torch::NoGradGuard no_grad;
    double sum = 0.0;
    for (const auto& loss : task_losses(run.model->tasks(), run.model->forward(batch.image), batch.targets))
        sum += loss.item<double>();
    return sum;
}

TEST(AdapMtl, GradientsAreThoseOfStoredWeightsAndThresholds) {
    const auto text = start_that_prunes();
    RegularizedRun run(drawn_model(), text, all_parts(50, 1), plain(0.01));
    run.step(2);
    const auto state = copied(run.trainer.state());
    const auto stored = stored_of(run);
    const auto s = s_of(run);
    RegularizedRun other(drawn_model(), "", all_parts(50, 1));
    load_module_state(*other.model, entries_of("model.", state));
    const auto batch = run.batch();
    const auto loss_at = [&](const TensorMap& weights, const std::vector<double>& thresholds) {
        const torch::NoGradGuard no_grad;
        const Slow slow(other, weights, thresholds);
        EXPECT_FALSE(slow.is_lowered);
        for (const auto& [name, value] : slow.effective)
            parameters_by_name(*other.model).at(name).copy_(value);
        return loss_of(other, batch);
    };
    run.trainer.take_gradients(batch);
    constexpr double kStep = 1e-6;
    for (const auto& [name, weights] : stored) {
        const auto gradient = parameters_by_name(*run.model).at(name).grad().flatten();
        for (int64_t i = 0; i < weights.numel(); i += std::max<int64_t>(1, weights.numel() / 5)) {
            auto above = copied(stored), below = copied(stored);
            above.at(name).view(-1)[i] += kStep;
            below.at(name).view(-1)[i] -= kStep;
            const double slope = (loss_at(above, s) - loss_at(below, s)) / (2 * kStep);
            EXPECT_NEAR(gradient[i].item<double>(), slope, 1e-6 * (1.0 + std::abs(slope)))
                << name << " " << i;
        }
    }
    RegularizedRun stepped(drawn_model(), text, all_parts(50, 1), plain(0.01));
    stepped.trainer.load_state(state);
    stepped.trainer.step(batch);
    for (size_t part = 0; part < 4; ++part) {
        auto above = s, below = s;
        above[part] += kStep;
        below[part] -= kStep;
        const double slope = (loss_at(stored, above) - loss_at(stored, below)) / (2 * kStep);
        EXPECT_NEAR((s[part] - s_of(stepped)[part]) / 0.01, slope, 1e-6) << part;
        EXPECT_GT(std::abs(slope), 1e-5) << part;
    }
}

TEST(AdapMtl, AHeadsThresholdIsNothingToAnother) {
    const auto text = start_that_prunes();
    RegularizedRun run(drawn_model(), text, all_parts(50, 1), plain(0.0));
    run.step(2);
    auto state = copied(run.trainer.state());
    RegularizedRun same(drawn_model(), text, all_parts(50, 1), plain(0.0)),
        changed(drawn_model(), text, all_parts(50, 1), plain(0.0));
    same.trainer.load_state(state);
    state.at("pruner.regularizer.s")[1] -= 1.0;
    changed.trainer.load_state(state);
    same.step();
    changed.step();
    const auto a = same.model->forward(run.batch().image), b = changed.model->forward(run.batch().image);
    int differing = 0;
    for (size_t t = 0; t < 3; ++t) differing += torch::equal(a[t], b[t]) ? 0 : 1;
    EXPECT_EQ(differing, 1);
    // A task alone moves the backbone's threshold and its own.
    const auto model = drawn_model();
    const auto pruner =
        std::make_shared<IterativePruner>(model, torch::zeros({1, 3, 8, 8}), criteria().make("l2"),
                                          all_parts(50, 1), regularizers().make(text));
    Trainer trainer(model, {.optimizer = plain(0.1), .update = {.task_weighting = "fixed:weights=[1,0,0]"}},
                    {pruner});
    const auto s = [&] { return trainer.state().at("pruner.regularizer.s").clone(); };
    trainer.step(run.batch());
    const auto before = s();
    trainer.step(run.batch());
    EXPECT_EQ((s() != before).sum().item<int64_t>(), 2);
    EXPECT_NE(s()[0].item<double>(), before[0].item<double>());
}

TEST(AdapMtl, DecayAloneRaisesThresholds) {
    const auto norms = noise({200}, 3, torch::kDouble).abs() * 0.1;
    for (const auto kind : {OptimizerKind::adam, OptimizerKind::sgd}) {
        SoftThresholds thresholds(-8.0);
        thresholds.begin(2);
        OptimizerConfig config = default_optimizer(kind);
        config.weight_decay = 0.01;
        double tau = 0.0;
        int64_t pruned = 0;
        for (int i = 0; i < 300; ++i) {
            thresholds.step(torch::zeros({2}, torch::kDouble), config, 0.05);
            const double now = thresholds.values()[1].item<double>();
            EXPECT_GT(now, tau);
            EXPECT_LT(now, 0.5);
            tau = now;
            const auto count = (norms <= now).sum().item<int64_t>();
            EXPECT_GE(count, pruned);
            pruned = count;
        }
        EXPECT_GT(tau, 1.0 / (1.0 + std::exp(8.0)));
    }
}

TEST(AdapMtl, ThresholdsStayOnceAsManyArePrunedAsTheAllocationTakes) {
    for (const int64_t count : {5, 1000}) {
        RegularizedRun run(drawn_model(), "adapmtl:start=0.5", all_parts(50, 1, count), plain(0.05, 0.1));
        run.step();
        const auto s = run.trainer.state().at("pruner.regularizer.s").clone();
        const auto stored = stored_of(run);
        ASSERT_GE(Slow(run, stored, s_of(run)).pruned, 5);
        // With the larger budget one channel more must leave than floors let.
        auto state = copied(run.trainer.state());
        if (count > 5) state["pruner.regularizer.wanted"] = torch::tensor(int64_t{1000});
        run.trainer.load_state(state);
        run.step();
        EXPECT_EQ(torch::equal(run.trainer.state().at("pruner.regularizer.s"), s), count == 5) << count;
        for (const auto& [name, weights] : stored)
            EXPECT_FALSE(torch::equal(stored_of(run).at(name), weights)) << name;
    }
}

TEST(AdapMtl, WhatIsFurthestBelowItsThresholdLeaves) {
    RegularizedRun run(drawn_model(), start_that_prunes(), all_parts(4, 1, 7), plain(0.01));
    run.step(3);
    const Slow slow(run, stored_of(run), s_of(run));
    std::vector<std::tuple<double, size_t, int64_t>> order;
    for (size_t g = 0; g < slow.margins.size(); ++g) {
        std::vector<std::pair<double, int64_t>> group;
        for (size_t c = 0; c < slow.margins[g].size(); ++c)
            group.emplace_back(slow.margins[g][c], static_cast<int64_t>(c));
        std::sort(group.begin(), group.end());
        for (size_t i = 0; i + kFloor < group.size(); ++i)
            order.emplace_back(group[i].first, g, group[i].second);
    }
    std::sort(order.begin(), order.end());
    std::vector<std::vector<int64_t>> expected(slow.margins.size());
    for (size_t i = 0; i < 7; ++i) expected[std::get<1>(order[i])].push_back(std::get<2>(order[i]));
    for (auto& group : expected) std::sort(group.begin(), group.end());
    run.step();
    ASSERT_EQ(run.pruner->events().size(), 1U);
    EXPECT_EQ(run.pruner->events()[0].removed, expected);
}

/// The network after the last event is what it would be if another followed.
TEST(AdapMtl, TheLastEventLeavesTheEffectiveWeights) {
    for (const auto edit : {EditKind::remove, EditKind::mask}) {
        auto one = all_parts(4, 1, 7), two = all_parts(4, 2, 7);
        one.edit = two.edit = edit;
        RegularizedRun last(drawn_model(), "adapmtl:start=-1.5", one, plain(0.01, 0.1)),
            more(drawn_model(), "adapmtl:start=-1.5", two, plain(0.01, 0.1));
        last.step(4);
        more.step(4);
        ASSERT_TRUE(last.pruner->finished());
        EXPECT_TRUE(stored_of(last).empty());
        bool shrunk = false;
        for (const auto& [name, weights] : parameters_by_name(*last.model)) {
            EXPECT_TRUE(torch::equal(weights, parameters_by_name(*more.model).at(name))) << name;
            const auto stored = stored_of(more);
            if (stored.contains(name)) shrunk = shrunk || !torch::equal(stored.at(name), weights);
        }
        EXPECT_TRUE(shrunk);
    }
}

}  // namespace
}  // namespace mtlprune::adapmtl_test
