// What regularisers add to gradients is the derivative of the penalty that they state.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "tests/pruning/regularized_run.h"

namespace mtlprune::regularizer_penalties_test {
namespace {

/// shared: of convolutions that all tasks have.
enum class Part { all, filters, norms, shared };

bool is_in(const Member& member, const torch::Tensor& tensor, Part part) {
    const bool is_weight = member.tensor.ends_with(".weight");
    if (!is_weight) return false;
    const bool is_norm = tensor.dim() == 1;
    if (part == Part::norms) return is_norm;
    if (part == Part::shared) return tensor.dim() == 4 && !member.tensor.starts_with("heads.");
    return part == Part::all || (!is_norm && member.role == Role::output);
}

struct ChannelWeights {
    double squares = 0.0, absolute = 0.0;
    int64_t count = 0;
};

/// Of one channel, weight by weight.
ChannelWeights weights_of(const Group& group, int64_t channel, Part part,
                          const std::map<std::string, torch::Tensor>& parameters) {
    ChannelWeights sum;
    for (const auto& member : group.members) {
        const auto found = parameters.find(member.tensor);
        if (found == parameters.end() || !is_in(member, found->second, part)) continue;
        for (const int64_t index : member.channel(channel)) {
            const auto slice = found->second.detach().select(member.dim, index).contiguous();
            for (int64_t i = 0; i < slice.numel(); ++i) {
                const double w = slice.data_ptr<double>()[i];
                sum.squares += w * w;
                sum.absolute += std::abs(w);
                ++sum.count;
            }
        }
    }
    return sum;
}

using ChannelPenalty = std::function<double(size_t group, int64_t channel, const ChannelWeights& weights)>;

/// The derivative in some entries of every parameter against what the regulariser adds.
void expect_derivative(const std::string& regularizer, Part part, const ChannelPenalty& penalty,
                       const std::function<void(TensorMap& state)>& prepare = {},
                       const std::string& backbone = "toy") {
    const auto options = five_of_shared(20, 1);
    RegularizedRun with(drawn_model(backbone), regularizer, options),
        without(drawn_model(backbone), "", options);
    if (prepare) {
        auto state = with.trainer.state();
        prepare(state);
        with.trainer.load_state(state);
    }
    const auto parameters = parameters_by_name(*with.model);
    const auto value = [&] {
        double sum = 0.0;
        const auto& asked = with.pruner->pruner().asked();
        for (size_t i = 0; i < asked.size(); ++i) {
            const auto& group = with.groups()[asked[i]];
            for (int64_t c = 0; c < group.channels; ++c)
                sum += penalty(i, c, weights_of(group, c, part, parameters));
        }
        return sum;
    };
    const auto batch = random_batch(0, 8, torch::kDouble);
    with.trainer.take_gradients(batch);
    without.trainer.take_gradients(batch);
    const auto plain = parameters_by_name(*without.model);
    const torch::NoGradGuard no_grad;
    double largest = 0.0;
    for (const auto& [name, parameter] : parameters) {
        const auto added = (parameter.grad() - plain.at(name).grad()).flatten();
        auto values = parameter.view(-1);
        for (int64_t i = 0; i < values.numel(); i += std::max<int64_t>(1, values.numel() / 4)) {
            const double before = values[i].item<double>(), h = 1e-6;
            values[i] = before + h;
            const double above = value();
            values[i] = before - h;
            const double below = value();
            values[i] = before;
            const double expected = (above - below) / (2.0 * h);
            EXPECT_NEAR(added[i].item<double>(), expected, 1e-7) << name << " " << i;
            largest = std::max(largest, std::abs(expected));
        }
    }
    EXPECT_GT(largest, 1e-3) << "no entry has a penalty";
}

TEST(RegularizerPenalties, SlimmingIsTheAbsoluteScale) {
    expect_derivative("slimming:s=0.02", Part::norms,
                      [](size_t, int64_t, const ChannelWeights& w) { return 0.02 * w.absolute; });
}

TEST(RegularizerPenalties, SlimmingLeavesAScaleOfZero) {
    RegularizedRun run(drawn_model(), "slimming:s=0.5", five_of_shared(20, 1)),
        plain(drawn_model(), "", five_of_shared(20, 1));
    const auto gamma = [](const RegularizedRun& r) {
        return parameters_by_name(*r.model).at("backbone.norm.weight");
    };
    for (auto* r : {&run, &plain}) {
        gamma(*r).data()[2] = 0.0;
        r->trainer.take_gradients(r->batch());
    }
    const auto added = gamma(run).grad() - gamma(plain).grad();
    EXPECT_EQ(added[2].item<double>(), 0.0);
    EXPECT_NEAR(added[1].abs().item<double>(), 0.5, 1e-12);
}

TEST(RegularizerPenalties, SlimmingProximalIsSoftThresholding) {
    auto sgd = default_optimizer(OptimizerKind::sgd);
    sgd.lr = 0.1;
    RegularizedRun run(drawn_model(), "slimming:s=5,proximal", five_of_shared(20, 1), sgd),
        plain(drawn_model(), "", five_of_shared(20, 1), sgd);
    run.step();
    plain.step();
    const auto found = parameters_by_name(*run.model).at("backbone.norm.weight").detach();
    const auto before = parameters_by_name(*plain.model).at("backbone.norm.weight").detach();
    for (int64_t c = 0; c < found.numel(); ++c) {
        const double g = before[c].item<double>();
        const double expected = g > 0.5 ? g - 0.5 : g < -0.5 ? g + 0.5 : 0.0;
        EXPECT_NEAR(found[c].item<double>(), expected, 1e-12);
    }
}

TEST(RegularizerPenalties, GroupLassoIsTheNormOfAllThatLeaves) {
    expect_derivative("group_lasso:reg=0.02", Part::all, [](size_t, int64_t, const ChannelWeights& w) {
        return 0.02 * std::sqrt(w.squares + 1e-9);
    });
}

TEST(RegularizerPenalties, GroupLassoMayBeWeightedBySize) {
    expect_derivative("group_lasso:reg=0.02,size_weighted", Part::all,
                      [](size_t, int64_t, const ChannelWeights& w) {
                          return 0.02 * std::sqrt(static_cast<double>(w.count)) * std::sqrt(w.squares + 1e-9);
                      });
}

/// Several norms share the channels of a residual network.
TEST(RegularizerPenalties, GroupLassoOfNormsIsByTheMeanOfTheirSquares) {
    expect_derivative(
        "group_lasso:reg=0.02,variant=bn", Part::norms,
        [](size_t, int64_t, const ChannelWeights& w) {
            const auto norms = static_cast<double>(w.count);
            return norms == 0.0 ? 0.0 : 0.02 * norms * std::sqrt(w.squares / norms + 1e-9);
        },
        {}, "resnet20:width=0.25");
}

TEST(RegularizerPenalties, GroupNormIsDecayByRelativeImportance) {
    // The factors are those of the weights before any is moved.
    std::vector<std::vector<double>> factors;
    const auto model = drawn_model();
    RegularizedRun run(model, "", five_of_shared(20, 1));
    for (const size_t g : run.pruner->pruner().asked()) {
        const auto& group = run.groups()[g];
        std::vector<double> norms;
        for (int64_t c = 0; c < group.channels; ++c)
            norms.push_back(std::sqrt(weights_of(group, c, Part::all, parameters_by_name(*model)).squares));
        const auto [least, most] = std::minmax_element(norms.begin(), norms.end());
        auto& of_group = factors.emplace_back();
        for (const double norm : norms)
            of_group.push_back(std::pow(2.0, 4.0 * (*most - norm) / (*most - *least)));
        EXPECT_EQ(*std::max_element(of_group.begin(), of_group.end()), 16.0);
    }
    expect_derivative("group_norm:reg=0.02", Part::all, [&](size_t g, int64_t c, const ChannelWeights& w) {
        return 0.01 * factors[g][static_cast<size_t>(c)] * w.squares;
    });
}

TEST(RegularizerPenalties, GroupNormOfEqualChannelsIsPlainDecay) {
    RegularizedRun run(drawn_model(), "group_norm:reg=0.5", five_of_shared(20, 1)),
        plain(drawn_model(), "", five_of_shared(20, 1));
    for (auto* r : {&run, &plain}) {
        for (auto& parameter : r->model->parameters()) parameter.data().fill_(0.25);
        r->trainer.take_gradients(r->batch());
    }
    const auto added = parameters_by_name(*run.model).at("backbone.norm.weight").grad() -
                       parameters_by_name(*plain.model).at("backbone.norm.weight").grad();
    EXPECT_TRUE(torch::allclose(added, torch::full_like(added, 0.125), 1e-12, 1e-12)) << added;
}

TEST(RegularizerPenalties, LessIsMoreAsReleasedIsANormInTheGradientToo) {
    const std::vector<double> channels = {6.0, 12.0};
    expect_derivative("less_is_more:lambda=0.02,group=coupled,penalty_too", Part::shared,
                      [&](size_t g, int64_t, const ChannelWeights& w) {
                          return 0.02 * std::sqrt(channels[g]) * std::sqrt(w.squares);
                      });
    EXPECT_TRUE(regularizers().at("less_is_more").as_released.at("penalty_too").get<bool>());
}

/// Strengths as given, read by an iteration that does not change them.
void give(TensorMap& state, const std::string& name, const std::vector<int64_t>& channels) {
    for (size_t i = 0; i < channels.size(); ++i)
        state["pruner.regularizer." + name + "." + std::to_string(i)] =
            torch::linspace(0.01, 0.03, channels[i], torch::kDouble) * static_cast<double>(i + 1);
    state["pruner.iteration"] = torch::tensor(int64_t{1});
}

double given(const std::vector<int64_t>& channels, size_t group, int64_t channel) {
    const auto last = static_cast<double>(channels[group] - 1);
    return (0.01 + 0.02 * static_cast<double>(channel) / last) * static_cast<double>(group + 1);
}

const std::vector<int64_t> kToyChannels = {6, 12};

double given_decay(size_t group, int64_t channel, const ChannelWeights& weights) {
    return 0.5 * given(kToyChannels, group, channel) * weights.squares;
}

TEST(RegularizerPenalties, GrowingRegIsDecayOfAllThatLeaves) {
    expect_derivative("growing_reg:every=10", Part::all, given_decay,
                      [](TensorMap& state) { give(state, "strength", kToyChannels); });
}

TEST(RegularizerPenalties, GregIsDecayOfFilters) {
    for (const std::string key : {"greg1", "greg2"})
        expect_derivative(key, Part::filters, given_decay,
                          [](TensorMap& state) { give(state, "reg", kToyChannels); });
}

TEST(RegularizerPenalties, IncRegIsDecayOfFilters) {
    expect_derivative("increg:every=10", Part::filters, given_decay, [](TensorMap& state) {
        give(state, "lambda", kToyChannels);
        for (size_t i = 0; i < kToyChannels.size(); ++i) {
            const auto number = std::to_string(i);
            state["pruner.regularizer.mean_rank." + number] = torch::zeros({kToyChannels[i]}, torch::kDouble);
            state["pruner.regularizer.pruned." + number] = torch::zeros({kToyChannels[i]}, torch::kBool);
            state["pruner.regularizer.counts." + number] = torch::tensor({int64_t{1}, int64_t{1}});
        }
    });
}

TEST(RegularizerPenalties, GrowingRegGrowsByRelativeImportance) {
    auto still = default_optimizer(OptimizerKind::sgd);
    still.lr = 0.0;
    RegularizedRun run(drawn_model(), "growing_reg:reg=0.5,delta=0.125,every=2", five_of_shared(20, 1),
                       still);
    run.step(5);
    const auto state = run.trainer.state();
    const auto& asked = run.pruner->pruner().asked();
    for (size_t i = 0; i < asked.size(); ++i) {
        const auto& group = run.groups()[asked[i]];
        std::vector<double> squares;
        for (int64_t c = 0; c < group.channels; ++c)
            squares.push_back(weights_of(group, c, Part::all, parameters_by_name(*run.model)).squares);
        const auto [least, most] = std::minmax_element(squares.begin(), squares.end());
        const auto found = state.at("pruner.regularizer.strength." + std::to_string(i));
        for (int64_t c = 0; c < group.channels; ++c)
            EXPECT_NEAR(found[c].item<double>(),
                        0.5 + 2 * 0.125 * (*most - squares[static_cast<size_t>(c)]) / (*most - *least), 1e-6);
    }
}

}  // namespace
}  // namespace mtlprune::regularizer_penalties_test
