// Channels that are closed and opened while training: counts, the growth that tasks ask for, explicit gates.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "pruning/masks/erk.h"
#include "tests/pruning/regularized_run.h"
#include "tests/training/tiny_training.h"
#include "training/losses.h"

namespace mtlprune::disparse_dynamic_channels_test {
namespace {

const std::string kQuick = "disparse_dynamic:every=2,end=8";

/// Heads shrink too; half of all channels leave at the end.
IterativePrunerOptions half_of_all(int64_t frequency) {
    auto options = five_of_shared(frequency, 1);
    options.allocation.only = {};
    options.allocation.budget = {BudgetUnit::channels, 0.5};
    options.allocation.min_channels = 1;
    return options;
}

OptimizerConfig slow_sgd() {
    return {.kind = OptimizerKind::sgd, .lr = 0.02, .weight_decay = 0.0, .momentum = 0.0};
}

/// [group][channel]: open?
std::vector<std::vector<bool>> open_of(const RegularizedRun& run) {
    std::vector<std::vector<bool>> open;
    const auto state = run.trainer.state();
    for (size_t i = 0; i < run.pruner->pruner().asked().size(); ++i) {
        const auto tensor = state.at("pruner.regularizer.open." + std::to_string(i));
        auto& group = open.emplace_back();
        for (int64_t c = 0; c < tensor.numel(); ++c) group.push_back(tensor[c].item<bool>());
    }
    return open;
}

int64_t count(const std::vector<bool>& open) {
    return std::count(open.begin(), open.end(), true);
}

const Group& group_of(const RegularizedRun& run, size_t i) {
    return run.groups()[run.pruner->pruner().asked()[i]];
}

std::vector<const Member*> layers_of(const Group& group, const Model& model, Role role) {
    const auto parameters = parameters_by_name(model);
    std::vector<const Member*> layers;
    for (const auto& member : group.members)
        if (member.role == role && parameters.contains(member.tensor) &&
            parameters.at(member.tensor).dim() > 1)
            layers.push_back(&member);
    return layers;
}

torch::Tensor slice_of(const Model& model, const Member& member, int64_t channel) {
    const std::vector<int64_t> indices(member.channel(channel).begin(), member.channel(channel).end());
    return parameters_by_name(model)
        .at(member.tensor)
        .detach()
        .index_select(member.dim, torch::tensor(indices, torch::kLong));
}

/// Density of every group, from the shapes of its first filters.
std::vector<double> densities_of(const RegularizedRun& run) {
    std::vector<std::vector<int64_t>> shapes;
    int64_t all = 0, least = 0;
    for (size_t i = 0; i < run.pruner->pruner().asked().size(); ++i) {
        const auto& group = group_of(run, i);
        const auto& filters = layers_of(group, *run.model, Role::output).front()->tensor;
        shapes.push_back({group.channels, parameters_by_name(*run.model).at(filters).size(1)});
        all += group.channels;
        ++least;
    }
    const auto kept = std::max(static_cast<int64_t>(static_cast<double>(all) * 0.5), least);
    return erk_densities(shapes, static_cast<double>(kept) / static_cast<double>(all));
}

int64_t width_at(double density, double rate, int64_t channels) {
    const double wanted = density * (1.0 - rate) * static_cast<double>(channels);
    return std::max<int64_t>(1, static_cast<int64_t>(std::ceil(wanted - 1e-9)));
}

double rate_at(int64_t iteration) {
    return 0.25 * (1.0 + std::cos(M_PI * static_cast<double>(iteration) / 8.0));
}

TEST(DisparseDynamicChannels, WhatIsClosedIsReadByZerosThatStay) {
    for (const std::string regrow : {"stored", "zero"}) {
        RegularizedRun run(drawn_model(), kQuick + ",regrow=" + regrow, half_of_all(12),
                           default_optimizer(OptimizerKind::adam));
        for (int i = 0; i < 10; ++i) {
            run.step();
            const auto open = open_of(run);
            for (size_t g = 0; g < open.size(); ++g)
                for (size_t c = 0; c < open[g].size(); ++c)
                    for (const Member* reader : layers_of(group_of(run, g), *run.model, Role::input)) {
                        const auto weights = slice_of(*run.model, *reader, static_cast<int64_t>(c));
                        const bool is_zero = weights.abs().max().item<double>() == 0.0;
                        EXPECT_TRUE(open[g][c] || is_zero) << i;
                        EXPECT_TRUE(!open[g][c] || !is_zero || regrow == "zero") << i;
                    }
        }
    }
}

TEST(DisparseDynamicChannels, WidthsFollowTheSchedule) {
    RegularizedRun run(drawn_model(), kQuick, half_of_all(12), slow_sgd());
    const auto densities = densities_of(run);
    run.step();
    auto before = open_of(run);
    for (size_t g = 0; g < before.size(); ++g)
        EXPECT_EQ(count(before[g]), width_at(densities[g], 0.0, group_of(run, g).channels)) << g;
    bool changed = false;
    for (int64_t iteration = 1; iteration < 11; ++iteration) {
        run.step();
        const auto now = open_of(run);
        if (iteration % 2 != 0 || iteration > 8) {
            EXPECT_EQ(now, before) << iteration;
            continue;
        }
        for (size_t g = 0; g < now.size(); ++g) {
            const int64_t channels = group_of(run, g).channels;
            const int64_t full = width_at(densities[g], 0.0, channels);
            const double rate = iteration == 8 ? 0.0 : rate_at(iteration);
            const int64_t left = width_at(densities[g], rate, channels);
            const int64_t tasks = static_cast<int64_t>(group_of(run, g).outputs.size());
            EXPECT_GE(count(now[g]), iteration == 8 ? full : left) << iteration << " " << g;
            EXPECT_LE(count(now[g]), left + tasks * (full - left)) << iteration << " " << g;
        }
        changed = changed || now != before;
        before = now;
    }
    EXPECT_TRUE(changed);
    for (size_t g = 0; g < before.size(); ++g)
        EXPECT_LE(count(before[g]), width_at(densities[g], 0.0, group_of(run, g).channels));
    // What is closed leaves, and the network does not change by it.
    run.step();
    ASSERT_EQ(run.pruner->events().size(), 1U);
    for (size_t g = 0; g < before.size(); ++g) {
        EXPECT_EQ(run.pruner->events()[0].widths[g], count(before[g]));
        for (const int64_t channel : run.pruner->events()[0].removed[g])
            EXPECT_FALSE(before[g][static_cast<size_t>(channel)]);
    }
}

/// The change of iteration 2: of what is open the smallest filters close, then every task opens as many as
/// lack, those whose gates have the steepest losses, by differences of losses.
TEST(DisparseDynamicChannels, ClosesSmallFiltersAndOpensWhatAnyTaskAsksFor) {
    RegularizedRun run(drawn_model(), kQuick, half_of_all(12), slow_sgd());
    run.step(2);
    const auto before = open_of(run);
    const auto state = copied(run.trainer.state());
    const auto batch = run.batch();
    const auto densities = densities_of(run);
    const auto losses = [&] {
        const torch::NoGradGuard no_grad;
        std::vector<double> values;
        for (const auto& loss :
             task_losses(run.model->tasks(), run.model->forward(batch.image), batch.targets))
            values.push_back(loss.item<double>());
        return values;
    };
    /// Readers' weights for a channel that is closed (open): `gate` (1 + gate) times what they are.
    const auto losses_at = [&](size_t g, int64_t c, bool open, double gate) {
        const torch::NoGradGuard no_grad;
        for (const Member* reader : layers_of(group_of(run, g), *run.model, Role::input)) {
            const std::vector<int64_t> indices(reader->channel(c).begin(), reader->channel(c).end());
            auto parameter = parameters_by_name(*run.model).at(reader->tensor);
            const auto at = torch::tensor(indices, torch::kLong);
            const auto now = parameter.index_select(reader->dim, at);
            const auto value =
                open ? now
                     : state.at("pruner.regularizer.stored." + reader->tensor).index_select(reader->dim, at);
            parameter.index_copy_(reader->dim, at, now + gate * value);
        }
        const auto values = losses();
        load_module_state(*run.model, entries_of("model.", state));
        return values;
    };
    std::vector<std::vector<bool>> expected;
    bool grew = false;
    for (size_t g = 0; g < before.size(); ++g) {
        const auto& group = group_of(run, g);
        const int64_t left = width_at(densities[g], rate_at(2), group.channels),
                      grown = width_at(densities[g], 0.0, group.channels) - left;
        std::vector<std::pair<double, int64_t>> sizes, of_closed;
        for (int64_t c = 0; c < group.channels; ++c) {
            double squares = 0;
            for (const Member* filters : layers_of(group, *run.model, Role::output))
                squares += slice_of(*run.model, *filters, c).square().sum().item<double>();
            (before[g][static_cast<size_t>(c)] ? sizes : of_closed).emplace_back(squares, c);
        }
        std::sort(sizes.rbegin(), sizes.rend());
        std::vector<bool> dropped(before[g].size());
        for (size_t i = 0; i < sizes.size(); ++i) {
            dropped[static_cast<size_t>(sizes[i].second)] = static_cast<int64_t>(i) < left;
            if (static_cast<int64_t>(i) >= left) of_closed.push_back(sizes[i]);
        }
        auto open = dropped;
        for (size_t t = 0; t < 3 && grown > 0; ++t) {
            std::vector<std::pair<double, int64_t>> slopes;
            for (int64_t c = 0; c < group.channels; ++c) {
                if (dropped[static_cast<size_t>(c)]) continue;
                constexpr double kStep = 1e-5;
                const bool is_open = before[g][static_cast<size_t>(c)];
                const double slope =
                    std::abs(losses_at(g, c, is_open, kStep)[t] - losses_at(g, c, is_open, -kStep)[t]) /
                    (2 * kStep);
                slopes.emplace_back(slope > 1e-9 ? -slope : 0.0, c);
            }
            std::sort(slopes.begin(), slopes.end());
            if (slopes.empty() || slopes.front().first == 0.0) continue;  // nothing to this task
            for (size_t i = 0; i < slopes.size() && static_cast<int64_t>(i) < grown; ++i)
                open[static_cast<size_t>(slopes[i].second)] = grew = true;
        }
        std::sort(of_closed.rbegin(), of_closed.rend());
        for (size_t i = 0; open == dropped && i < of_closed.size() && static_cast<int64_t>(i) < grown; ++i) {
            open[static_cast<size_t>(of_closed[i].second)] = true;  // no task asks for any
        }
        expected.push_back(open);
    }
    EXPECT_TRUE(grew);
    run.step();
    EXPECT_EQ(open_of(run), expected);
}

TEST(DisparseDynamicChannels, WeightsComeBackAsTheyWere) {
    auto still = slow_sgd();
    still.lr = 0.0;
    RegularizedRun run(drawn_model(), kQuick, half_of_all(12), still);
    TensorMap drawn;
    for (const auto& [name, parameter] : parameters_by_name(*run.model))
        drawn[name] = parameter.detach().clone();
    for (int i = 0; i < 8; ++i) {
        run.step();
        const auto open = open_of(run);
        for (size_t g = 0; g < open.size(); ++g)
            for (size_t c = 0; c < open[g].size(); ++c)
                for (const Member* reader : layers_of(group_of(run, g), *run.model, Role::input)) {
                    if (!open[g][c]) continue;
                    const auto now = slice_of(*run.model, *reader, static_cast<int64_t>(c));
                    const std::vector<int64_t> indices(reader->channel(static_cast<int64_t>(c)).begin(),
                                                       reader->channel(static_cast<int64_t>(c)).end());
                    const auto then = drawn.at(reader->tensor)
                                          .index_select(reader->dim, torch::tensor(indices, torch::kLong));
                    EXPECT_TRUE(torch::equal(now, then)) << i << " " << reader->tensor;
                }
    }
}

TEST(DisparseDynamicChannels, NeedsTheTasksGradientsWhenItOpensChannelsAlone) {
    const auto regularizer = regularizers().make(kQuick);
    const std::vector<bool> expected = {false, false, true, false, true, false, true, false, false, false};
    for (size_t i = 0; i < expected.size(); ++i)
        EXPECT_EQ(regularizer->needs_task_gradients(static_cast<int64_t>(i)), expected[i]) << i;
    EXPECT_THROW(regularizers().make("disparse_dynamic:rate=1.5"), Error);
    EXPECT_THROW(regularizers().make("disparse_dynamic:every=0"), Error);
}

}  // namespace
}  // namespace mtlprune::disparse_dynamic_channels_test
