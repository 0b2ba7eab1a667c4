// Regularisers over many iterations: growth, picking, pruning for good, proximal steps.
#include <gtest/gtest.h>

#include <cmath>

#include "pruning/regularizers/group_proximal.h"
#include "pruning/regularizers/increg_units.h"
#include "tests/pruning/regularized_run.h"

namespace mtlprune::regularizer_schedules_test {
namespace {

torch::Tensor drawn(std::vector<int64_t> shape, uint64_t key) {
    return noise(shape, key, torch::kDouble);
}

/// Filters W [O, n] with the loss sum_o h_o / 2 ||W_o - W_o0||^2 and plain gradient steps of rate 0.1.
class Quadratic {
  public:
    Quadratic(const std::string& regularizer, const torch::Tensor& start, std::vector<double> curvature,
              int64_t leaving)
        : weight_(start.clone().set_requires_grad(true)),
          start_(start),
          curvature_(torch::tensor(curvature, torch::kDouble).unsqueeze(1)),
          leaving_(leaving),
          regularizer_(regularizers().make(regularizer)),
          host_(drawn_model(), "", five_of_shared(20, 1)) {
        const int64_t filters = start.size(0);
        groups_.push_back({"layer",
                           filters,
                           {{"weight", weight_, 0, 1, 1, torch::arange(filters), filters, start.size(1)}},
                           {},
                           {},
                           {},
                           {}});
    }

    void step() {
        const torch::NoGradGuard no_grad;
        weight_.mutable_grad() = curvature_ * (weight_ - start_);
        RegularizedStep now{groups_, host_.trainer, iteration_++, 0.1,
                            [this](const std::vector<torch::Tensor>& scores) { return lowest(scores); }};
        regularizer_->after_gradients(now);
        weight_.sub_(0.1 * weight_.grad());
    }
    void step(int64_t count) {
        for (int64_t i = 0; i < count; ++i) step();
    }

    torch::Tensor weight() const { return weight_.detach(); }
    torch::Tensor reg() const { return regularizer_->state().at("reg.0"); }
    bool picked() const { return !regularizer_->chosen().empty(); }
    torch::Tensor picks() const { return regularizer_->chosen().at(0); }

  private:
    std::vector<torch::Tensor> lowest(const std::vector<torch::Tensor>& scores) const {
        const auto order = std::get<1>(scores.at(0).sort());
        return {torch::zeros({order.numel()}, torch::kBool).index_fill_(0, order.slice(0, 0, leaving_), 1)};
    }

    torch::Tensor weight_, start_, curvature_;
    int64_t leaving_;
    std::unique_ptr<Regularizer> regularizer_;
    RegularizedRun host_;
    std::vector<RegularizedGroup> groups_;
    int64_t iteration_ = 0;
};

/// Filters of norms 1, 1, 3.
torch::Tensor three_filters() {
    auto weight = drawn({3, 20}, 5);
    weight = weight / weight.norm(2, 1, true);
    weight[1] = weight[0].flip(0);
    weight[2] *= 3.0;
    return weight;
}

TEST(Greg, WeightsEndWhereCurvatureAndDecayBalance) {
    Quadratic run("greg1:every=1,delta=0.01,limit=10,ratio=1e9", three_filters(), {1.0, 1e-4, 1.0}, 2);
    run.step(500);
    EXPECT_NEAR(run.reg()[0].item<double>(), 5.0, 1e-9);
    const auto left = run.weight().norm(2, 1) / three_filters().norm(2, 1);
    EXPECT_NEAR(left[0].item<double>(), 1.0 / 6.0, 1e-3);
    EXPECT_NEAR(left[1].item<double>(), 2e-5, 2e-6);
    EXPECT_TRUE(torch::equal(run.weight()[2], three_filters()[2])) << "what stays has no decay";
}

TEST(Greg, StopsAtTheRatioOrAtTheLimit) {
    Quadratic flat("greg1:every=1,delta=0.01,limit=10", three_filters(), {1e-4, 1e-4, 1.0}, 2);
    flat.step(600);
    const double reached = flat.reg()[0].item<double>();
    EXPECT_LT(reached, 5.0);
    flat.step(50);
    EXPECT_EQ(flat.reg()[0].item<double>(), reached) << "keeps the last decay";
    Quadratic steep("greg1:every=1,delta=0.01,limit=1", three_filters(), {1.0, 1.0, 1.0}, 2);
    steep.step(300);
    EXPECT_GT(steep.reg()[0].item<double>(), 1.0);
    EXPECT_LT(steep.reg()[0].item<double>(), 1.02);
}

TEST(Greg, UpdatesOnlySoOften) {
    Quadratic run("greg1:every=5,delta=0.01", three_filters(), {1.0, 1.0, 1.0}, 2);
    run.step(11);
    EXPECT_NEAR(run.reg()[0].item<double>(), 0.03, 1e-12);
}

TEST(Greg, TheSecondPicksByCurvature) {
    // Equal norms; a uniform decay makes the flat one small.
    for (const int64_t flat : {0, 1}) {
        std::vector<double> curvature = {1.0, 1.0, 1.0};
        curvature[static_cast<size_t>(flat)] = 0.01;
        Quadratic run("greg2:every=1,pick_delta=1e-4", three_filters(), curvature, 1);
        run.step(99);
        EXPECT_FALSE(run.picked());
        EXPECT_NEAR(run.reg().max().item<double>(), 99e-4, 1e-12);
        EXPECT_EQ(run.reg().max().item<double>(), run.reg().min().item<double>());
        run.step(2);
        ASSERT_TRUE(run.picked());
        EXPECT_EQ(run.picks().nonzero().item<int64_t>(), flat);
        run.step(1);
        EXPECT_GT(run.reg()[flat].item<double>(), 1e-2);
        EXPECT_EQ(run.reg()[2].item<double>(), -1e-4);
    }
}

TEST(IncReg, SchemeOneInClosedForm) {
    const double step = 0.01, u = 0.25;
    for (const int64_t missing : {1, 4, 7}) {
        const auto at = [&](double rank) {
            return increg_change(torch::tensor({rank}, torch::kDouble), missing, 0.0, {1, step, u})
                .item<double>();
        };
        EXPECT_NEAR(at(0.0), step, 1e-15);
        EXPECT_NEAR(at(static_cast<double>(missing)), 0.0, 1e-15);
        const double middle = -std::log(u) * static_cast<double>(missing) / std::log(2.0 / u);
        for (const double x : {0.1, 0.3, 0.6}) {
            EXPECT_NEAR(at(middle - x) + at(middle + x), 2.0 * u * step, 1e-14);
            EXPECT_GT(at(middle - x), at(middle + x));
        }
        EXPECT_LT(at(static_cast<double>(missing) + 1.0), 0.0);
    }
}

TEST(IncReg, SchemeTwoRaisesTheWeakestAndLowersTheOthers) {
    const double step = 0.01;
    const auto ranks = torch::arange(10, torch::kDouble);
    for (const int64_t missing : {1, 4, 9, 10})
        for (const double progress : {0.0, 0.5, 1.0}) {
            const auto change = increg_change(ranks, missing, progress, {2, step, 0.25});
            const double q = std::max(0.75 * progress, 0.05);
            for (int64_t r = 0; r < 10; ++r) {
                const double found = change[r].item<double>();
                if (r < missing)
                    EXPECT_GT(found, 0.0);
                else
                    EXPECT_LT(found, 0.0);
            }
            EXPECT_NEAR(change[0].item<double>(), step, 1e-15);
            if (missing > 1) {
                EXPECT_NEAR(change[missing - 1].item<double>(), q * step, 1e-15);
            }
            if (missing < 10) {
                EXPECT_NEAR(change[9].item<double>(), -step, 1e-15);
            }
            if (missing < 9) {
                EXPECT_NEAR(change[missing].item<double>(), -q * step, 1e-15);
            }
        }
}

/// Zeroed channels per group; expects that nothing of them has a value.
std::vector<int64_t> zeroed(const RegularizedRun& run) {
    std::vector<int64_t> counts;
    const auto parameters = parameters_by_name(*run.model);
    const auto state = run.trainer.state();
    const auto& asked = run.pruner->pruner().asked();
    for (size_t i = 0; i < asked.size(); ++i) {
        const auto pruned = state.at("pruner.regularizer.pruned." + std::to_string(i));
        EXPECT_GE(state.at("pruner.regularizer.lambda." + std::to_string(i)).min().item<double>(), 0.0);
        counts.push_back(pruned.sum().item<int64_t>());
        for (const auto& member : run.groups()[asked[i]].members) {
            if (member.is_buffer || member.role == Role::input) continue;
            for (int64_t c = 0; c < pruned.numel(); ++c) {
                const auto weights = parameters.at(member.tensor).detach().select(member.dim, c);
                EXPECT_EQ(weights.abs().max().item<double>() == 0.0, pruned[c].item<bool>())
                    << member.tensor << " " << c;
            }
        }
    }
    return counts;
}

TEST(IncReg, ZeroesAsManyAsTheAllocationTakesForGood) {
    for (const std::string scheme : {"1", "2"}) {
        auto options = five_of_shared(24, 1);
        options.allocation.scope = RankingScope::local;
        options.allocation.budget = {BudgetUnit::channels, 0.5};
        RegularizedRun run(drawn_model(), "increg:step=0.1,target=0.35,scheme=" + scheme, options);
        std::vector<int64_t> before = {0, 0};
        for (int i = 0; i < 22; ++i) {
            run.step();
            const auto now = zeroed(run);
            for (size_t g = 0; g < now.size(); ++g) EXPECT_GE(now[g], before[g]);
            before = now;
        }
        EXPECT_EQ(before, (std::vector<int64_t>{3, 6})) << "scheme " << scheme;
        // They are what leaves.
        const auto state = run.trainer.state();
        run.step(2);
        ASSERT_EQ(run.pruner->events().size(), 1U);
        for (size_t g = 0; g < 2; ++g)
            for (const int64_t channel : run.pruner->events()[0].removed[g])
                EXPECT_TRUE(state.at("pruner.regularizer.pruned." + std::to_string(g))[channel].item<bool>());
    }
}

TEST(GroupProximal, MeetsTheConditionsOfAMinimum) {
    for (const double mu : {0.01, 0.5, 2.0, 20.0}) {
        const auto y = drawn({12, 9}, 3), metric = drawn({12, 9}, 4).square() + 1e-6;
        const auto x = group_proximal(y, metric, mu);
        const auto forces = (metric * y).norm(2, 1);
        for (int64_t row = 0; row < 12; ++row) {
            const double norm = x[row].norm().item<double>();
            if (forces[row].item<double>() <= mu) {
                EXPECT_EQ(norm, 0.0);
                continue;
            }
            const auto residual = metric[row] * (x[row] - y[row]) + mu * x[row] / norm;
            EXPECT_LT(residual.norm().item<double>(), 1e-8) << "mu " << mu << " row " << row;
            EXPECT_LE(norm, y[row].norm().item<double>());
            EXPECT_TRUE(((x[row] * y[row]) >= 0.0).all().item<bool>());
        }
    }
}

TEST(GroupProximal, IsTheClosedFormForAConstantMetric) {
    const auto y = drawn({6, 5}, 8);
    const double c = 0.7, mu = 1.2;
    const auto x = group_proximal(y, torch::full_like(y, c), mu);
    for (int64_t row = 0; row < 6; ++row) {
        const double factor = std::max(1.0 - mu / (c * y[row].norm().item<double>()), 0.0);
        EXPECT_TRUE(torch::allclose(x[row], y[row] * factor, 1e-10, 1e-12));
    }
}

/// How many channels of an asked group are read by a weight of zeros, and how many filters of zeros there are
/// in `layer`.
std::pair<int64_t, int64_t> zero_slices(const RegularizedRun& run, size_t asked, const std::string& layer) {
    const auto parameters = parameters_by_name(*run.model);
    const auto& group = run.groups()[run.pruner->pruner().asked()[asked]];
    int64_t readers = 0, filters = 0;
    for (const auto& member : group.members) {
        const auto found = parameters.find(member.tensor);
        if (found == parameters.end() || found->second.dim() != 4) continue;
        const bool reads = member.role == Role::input;
        if (!reads && member.tensor != layer) continue;
        for (int64_t c = 0; c < group.channels; ++c)
            if (found->second.detach().select(member.dim, c).abs().max().item<double>() == 0.0)
                ++(reads ? readers : filters);
    }
    return {readers, filters};
}

TEST(LessIsMore, ZeroesUnitsOfTheSharedConvolutionsAsAskedFor) {
    auto adam = default_optimizer(OptimizerKind::adamw);
    adam.lr = 0.01;
    const auto run = [&](const std::string& options, size_t group, const std::string& layer) {
        RegularizedRun trained(drawn_model(), "less_is_more:lambda=" + options, five_of_shared(20, 1), adam);
        trained.step(4);
        return zero_slices(trained, group, layer);
    };
    const std::string first = "backbone.first.weight", last = "backbone.last.weight";
    // The first layer's channels are read by shared layers, the last one's by the heads alone.
    const auto by_input = run("100.0", 0, first);
    EXPECT_GT(by_input.first, 0);
    EXPECT_EQ(by_input.second, 0);
    EXPECT_EQ(run("100.0", 1, last).first, 0) << "heads are left alone";
    const auto by_filter = run("100.0,group=output_filter", 1, last);
    EXPECT_EQ(by_filter.first, 0);
    EXPECT_GT(by_filter.second, 0);
    const auto both = run("100.0,group=coupled", 0, first);
    EXPECT_GT(both.first, 0);
    EXPECT_GT(both.second, 0);
    EXPECT_EQ(run("1e-9", 0, first), std::pair(int64_t{0}, int64_t{0}));
}

/// More zeros with more strength.
TEST(LessIsMore, IsMonotone) {
    const auto y = drawn({30, 8}, 6), metric = drawn({30, 8}, 7).square() + 1e-6;
    int64_t before = 0;
    for (const double mu : {0.01, 0.5, 2.0, 4.0, 8.0}) {
        const auto zeros = (group_proximal(y, metric, mu).norm(2, 1) == 0.0).sum().item<int64_t>();
        EXPECT_GE(zeros, before);
        before = zeros;
    }
    EXPECT_GT(before, 0);
}

}  // namespace
}  // namespace mtlprune::regularizer_schedules_test
