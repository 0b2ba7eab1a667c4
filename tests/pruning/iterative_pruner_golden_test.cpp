// Pruning events of the released code: scores, sets, and whole trajectories. Inputs and expected values are
// read from the golden folder.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <stdexcept>

#include "pruning/allocation/global_selection.h"
#include "pruning/criteria/cosprune.h"
#include "pruning/criteria/taylor.h"
#include "pruning/schedules/iterative_pruner.h"
#include "tests/golden_data.h"

namespace mtlprune::iterative_pruner_golden_test {
namespace {

constexpr int64_t kBatches = 6;

struct Variant {
    std::string name;  ///< as in prune_orders.pt
    std::unique_ptr<Criterion> (*make)();
    Fidelity fidelity;
    int64_t floor;
};

std::unique_ptr<Criterion> taylor(bool window, bool accumulate) {
    return std::make_unique<TaylorCriterion>(TaylorOptions{window, accumulate});
}

const std::vector<Variant>& variants() {
    static const std::vector<Variant> all = {
        {"taylor_ascoded", [] { return taylor(false, true); }, Fidelity::as_released, 0},
        {"taylor_zeroed", [] { return taylor(false, false); }, Fidelity::corrected, 0},
        {"taylor_windowed", [] { return taylor(true, false); }, Fidelity::corrected, 0},
        {"cos_ascoded", []() -> std::unique_ptr<Criterion> { return std::make_unique<CosPruneCriterion>(); },
         Fidelity::corrected, 5}};
    return all;
}

const Variant& variant(const std::string& name) {
    return *std::find_if(variants().begin(), variants().end(),
                         [&](const Variant& v) { return v.name == name; });
}

IterativePruner make_pruner(MultiTaskModel model, const Variant& variant, bool mask) {
    // The released loop prunes 10 filters every 2 batches and never moves the weights.
    const int64_t floor = mask ? variant.floor : std::max<int64_t>(1, variant.floor);
    return {model, torch::zeros({1, 3, 97, 97}), variant.make(), {2, 10, floor, variant.fidelity, mask}};
}

std::vector<int64_t> offsets_of(const std::vector<int64_t>& widths) {
    std::vector<int64_t> offsets(widths.size() + 1, 0);
    std::partial_sum(widths.begin(), widths.end(), offsets.begin() + 1);
    return offsets;
}

std::set<int64_t> flat(const std::vector<std::vector<int64_t>>& removed,
                       const std::vector<int64_t>& offsets) {
    std::set<int64_t> indices;
    for (size_t g = 0; g < removed.size(); ++g)
        for (const int64_t channel : removed[g]) indices.insert(offsets[g] + channel);
    return indices;
}

std::vector<std::vector<int64_t>> per_group(const std::vector<int64_t>& indices,
                                            const std::vector<int64_t>& offsets) {
    std::vector<std::vector<int64_t>> groups(offsets.size() - 1);
    for (const int64_t index : indices) {
        if (index < 0 || index >= offsets.back())
            throw std::out_of_range("golden filter " + std::to_string(index) + " of " +
                                    std::to_string(offsets.back()));
        const auto group = std::upper_bound(offsets.begin(), offsets.end(), index) - offsets.begin() - 1;
        groups[group].push_back(index - offsets[group]);
    }
    for (auto& group : groups) std::sort(group.begin(), group.end());
    return groups;
}

std::vector<int64_t> to_vector(const torch::Tensor& tensor) {
    const auto values = tensor.to(torch::kLong).contiguous();
    return {values.data_ptr<int64_t>(), values.data_ptr<int64_t>() + values.numel()};
}

void run_window(IterativePruner& pruner, torch::Dtype type = torch::kFloat) {
    for (int i = 0; i < 2; ++i) {
        auto batch = golden_batch(static_cast<int>(pruner.iteration() % kBatches));
        batch.image = batch.image.to(type);
        pruner.step(batch, nullptr);
    }
}

/// Tolerances of the golden folder's README: Taylor 1e-5 of the layer's largest score and 2e-4 relative per
/// filter (whichever is wider), cosine 1e-5.
void expect_scores(const torch::Tensor& found, const torch::Tensor& expected, const torch::Tensor& alive,
                   bool cosine, const std::string& place) {
    const auto difference = (found - expected).abs().masked_select(alive);
    if (difference.numel() == 0) return;
    const auto limit =
        cosine ? torch::full_like(difference, 1e-5)
               : torch::maximum(expected.abs().masked_select(alive) * 2e-4, expected.abs().max() * 1e-5);
    EXPECT_TRUE((difference <= limit).all().item<bool>())
        << place << ": largest excess ratio " << (difference / limit).max().item<double>()
        << ", largest score " << expected.abs().max().item<double>();
}

class GoldenPruning : public testing::TestWithParam<std::string> {};

TEST_P(GoldenPruning, ScoresAndSetsOfThreeEvents) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const auto golden = golden_pt("prune_orders.pt");
    auto model = golden_model();
    const auto offsets = offsets_of(model->config().widths);
    auto pruner = make_pruner(model, variant(GetParam()), /*mask=*/true);
    for (int event = 0; golden.count(GetParam() + ".step" + std::to_string(event) + ".order") > 0; ++event) {
        const auto prefix = GetParam() + ".step" + std::to_string(event);
        std::vector<torch::Tensor> alive;
        for (const auto& gate : *pruner.gates()) alive.push_back(gate.detach() != 0);
        run_window(pruner);
        const auto order = to_vector(golden.at(prefix + ".order"));
        EXPECT_EQ(flat(pruner.events().back().removed, offsets),
                  std::set<int64_t>(order.begin(), order.end()))
            << prefix;
        EXPECT_EQ(pruner.widths(), to_vector(golden.at(prefix + ".s_config"))) << prefix;
        const auto scores = golden.at(prefix + ".score").to(torch::kDouble);
        for (size_t g = 0; g < pruner.last_scores().size(); ++g)
            expect_scores(pruner.last_scores()[g].to(torch::kDouble),
                          scores.slice(0, offsets[g], offsets[g + 1]), alive[g], GetParam() == "cos_ascoded",
                          prefix + " group " + std::to_string(g));
        const auto flat_scores = torch::cat(pruner.last_scores());
        for (size_t i = 1; i < order.size(); ++i)  // ascending, ties in any order
            EXPECT_LE(
                flat_scores[order[i - 1]].item<double>(),
                flat_scores[order[i]].item<double>() + 1e-5 * std::abs(flat_scores[order[i]].item<double>()))
                << prefix;
    }
    EXPECT_GE(pruner.events().size(), 3U);
}

INSTANTIATE_TEST_SUITE_P(AllVariants, GoldenPruning,
                         testing::Values("taylor_ascoded", "taylor_zeroed", "taylor_windowed", "cos_ascoded"),
                         [](const auto& info) { return info.param; });

TEST_P(GoldenPruning, ScoresInDoublePrecision) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const auto golden = golden_pt("prune_orders.pt");
    const auto name = GetParam() == "cos_ascoded" ? std::string("cos_intended_f64") : GetParam() + "_f64";
    auto model = golden_model();
    const auto offsets = offsets_of(model->config().widths);
    model->to(torch::kDouble);
    auto pruner = make_pruner(model, variant(GetParam()), /*mask=*/true);
    for (int event = 0; golden.count(name + ".step" + std::to_string(event) + ".score") > 0; ++event) {
        const auto prefix = name + ".step" + std::to_string(event);
        const auto alive = torch::cat(*pruner.gates()) != 0;
        run_window(pruner, torch::kDouble);
        const auto found = torch::cat(pruner.last_scores()).masked_select(alive);
        const auto expected = golden.at(prefix + ".score").to(torch::kDouble).masked_select(alive);
        EXPECT_LT(((found - expected).abs().max() / expected.abs().max()).item<double>(), 1e-10) << prefix;
        const auto order = to_vector(golden.at(prefix + ".order"));
        EXPECT_EQ(flat(pruner.events().back().removed, offsets),
                  std::set<int64_t>(order.begin(), order.end()))
            << prefix;
    }
    EXPECT_GE(pruner.events().size(), 3U);
}

/// Checks that the released choice is one of the right ones: it differs from ours only among (nearly) equal
/// scores.
void expect_same_choice(const IterativePruner& pruner, const std::vector<torch::Tensor>& alive, int64_t floor,
                        const std::vector<int64_t>& released, const std::vector<int64_t>& offsets,
                        size_t event) {
    SelectionInput input{pruner.last_scores(), alive, {}, "golden"};
    for (const auto& group : pruner.groups()) input.groups.push_back(group.name);
    const auto ours = flat(select_lowest(input, static_cast<int64_t>(released.size()), floor), offsets);
    const std::set<int64_t> theirs(released.begin(), released.end());
    std::vector<int64_t> only_ours, only_theirs;
    std::set_difference(ours.begin(), ours.end(), theirs.begin(), theirs.end(),
                        std::back_inserter(only_ours));
    std::set_difference(theirs.begin(), theirs.end(), ours.begin(), ours.end(),
                        std::back_inserter(only_theirs));
    ASSERT_EQ(only_ours.size(), only_theirs.size()) << "event " << event;
    const auto scores = torch::cat(pruner.last_scores()).to(torch::kDouble);
    const double largest = scores.abs().max().item<double>();
    for (const int64_t a : only_ours)
        for (const int64_t b : only_theirs)
            EXPECT_NEAR(scores[a].item<double>(), scores[b].item<double>(), 1e-9 * largest)
                << "event " << event << ": filters " << a << " and " << b << " are not tied";
}

class GoldenTrajectory : public testing::TestWithParam<std::string> {};

TEST_P(GoldenTrajectory, ToTheEnd) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const auto trajectory = golden_json("trajectories_to_end.json").at(GetParam());
    ASSERT_GT(trajectory.size(), 3U);
    auto model = golden_model();
    const auto offsets = offsets_of(model->config().widths);
    const auto& tested = variant(GetParam());
    auto pruner = make_pruner(model, tested, /*mask=*/true);
    for (size_t event = 0; event < trajectory.size(); ++event) {
        const auto order = trajectory[event].at("order").get<std::vector<int64_t>>();
        std::vector<torch::Tensor> alive;
        for (const auto& gate : *pruner.gates()) alive.push_back((gate.detach() != 0).clone());
        pruner.force_next_selection(per_group(order, offsets));
        run_window(pruner);
        expect_same_choice(pruner, alive, tested.floor, order, offsets, event);
        EXPECT_EQ(pruner.widths(), trajectory[event].at("s_config").get<std::vector<int64_t>>())
            << "event " << event;
    }
    EXPECT_TRUE(pruner.finished());
}

INSTANTIATE_TEST_SUITE_P(Both, GoldenTrajectory, testing::Values("taylor_ascoded", "cos_ascoded"),
                         [](const auto& info) { return info.param; });

TEST(GoldenPhysicalRemoval, WalksTheReleasedCosPruneTrajectory) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const auto trajectory = golden_json("trajectories_to_end.json").at("cos_ascoded");
    auto model = golden_model();
    const auto offsets = offsets_of(model->config().widths);
    auto pruner = make_pruner(model, variant("cos_ascoded"), /*mask=*/false);
    for (size_t event = 0; event < trajectory.size(); ++event) {
        run_window(pruner);
        const auto order = trajectory[event].at("order").get<std::vector<int64_t>>();
        ASSERT_EQ(flat(pruner.events().back().removed, offsets),
                  std::set<int64_t>(order.begin(), order.end()))
            << event;
        EXPECT_EQ(model->config().widths, trajectory[event].at("s_config").get<std::vector<int64_t>>())
            << event;
    }
    EXPECT_TRUE(pruner.finished());
}

TEST(GoldenCriteria, GradientThatTheReleasedOptimiserSees) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const auto golden = golden_pt("golden_b0.pt");
    auto model = golden_model();
    auto pruner = make_pruner(model, variant("taylor_ascoded"), /*mask=*/true);
    pruner.step(golden_batch(0), nullptr);
    for (size_t l = 0; l < model->backbone->convolutions.size(); ++l) {
        const auto expected = golden.at("conv_grad.effective." + std::to_string(l));
        const auto found = model->backbone->convolutions[l]->weight.grad();
        EXPECT_LT(((found - expected).abs().max() / expected.abs().max()).item<double>(), 1e-5)
            << "layer " << l;
    }
}

}  // namespace
}  // namespace mtlprune::iterative_pruner_golden_test
