// Pruning events of the released code: scores, sets, and whole trajectories. Inputs and expected values are
// read from the golden folder.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "pruning/schedules/iterative_pruner.h"
#include "tests/pruning/released_walk.h"

namespace mtlprune::iterative_pruner_golden_test {
namespace {

struct Variant {
    std::string name;  ///< as in prune_orders.pt
    std::string criterion;
    Fidelity fidelity;
    int64_t floor;
};

const std::vector<Variant>& variants() {
    static const std::vector<Variant> all = {
        {"taylor_ascoded", "taylor:window=false,accumulate_gates=true", Fidelity::as_released, 0},
        {"taylor_zeroed", "taylor:window=false", Fidelity::corrected, 0},
        {"taylor_windowed", "taylor", Fidelity::corrected, 0},
        {"cos_ascoded", "cosprune", Fidelity::corrected, 5}};
    return all;
}

const Variant& variant(const std::string& name) {
    return *std::find_if(variants().begin(), variants().end(),
                         [&](const Variant& v) { return v.name == name; });
}

PruningRun make_run(PaperModel model, const Variant& variant, bool mask) {
    // The released loop prunes 10 filters every 2 batches and never moves the weights.
    const int64_t floor = mask ? variant.floor : std::max<int64_t>(1, variant.floor);
    return {model,
            torch::zeros({1, 3, 97, 97}),
            criteria().make(variant.criterion),
            {.frequency = 2,
             .allocation = lowest_of_shared(10, floor),
             .edit = mask ? EditKind::mask : EditKind::remove,
             .update = variant.fidelity}};
}

std::vector<int64_t> to_vector(const torch::Tensor& tensor) {
    const auto values = tensor.to(torch::kLong).contiguous();
    return {values.data_ptr<int64_t>(), values.data_ptr<int64_t>() + values.numel()};
}

ReleasedWalk released_walk(const Variant& variant) {
    return {[&](PaperModel model) { return make_run(std::move(model), variant, /*mask=*/true); },
            variant.floor};
}

void run_window(PruningRun& run) {
    for (int i = 0; i < 2; ++i) run.trainer->take_gradients(next_batch(*run.pruner));
}

class GoldenPruning : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(AllVariants, GoldenPruning,
                         testing::Values("taylor_ascoded", "taylor_zeroed", "taylor_windowed", "cos_ascoded"),
                         [](const auto& info) { return info.param; });

TEST_P(GoldenPruning, ThreeEventsInDoublePrecision) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const auto golden = golden_pt("prune_orders.pt");
    const auto name = GetParam() == "cos_ascoded" ? std::string("cos_intended_f64") : GetParam() + "_f64";
    auto model = golden_double_model();
    const auto offsets = offsets_of(widths(*model));
    auto run = make_run(model, variant(GetParam()), /*mask=*/true);
    const auto& pruner = *run.pruner;
    for (int event = 0; golden.count(name + ".step" + std::to_string(event) + ".score") > 0; ++event) {
        const auto prefix = name + ".step" + std::to_string(event);
        const auto alive = torch::cat(run.alive());
        run_window(run);
        const auto found = torch::cat(pruner.last_scores());
        const auto expected = golden.at(prefix + ".score").to(torch::kDouble).masked_select(alive);
        EXPECT_LT(((found - expected).abs().max() / expected.abs().max()).item<double>(), 1e-10) << prefix;
        const auto order = to_vector(golden.at(prefix + ".order"));
        EXPECT_EQ(flat(pruner.events().back().removed, offsets),
                  std::set<int64_t>(order.begin(), order.end()))
            << prefix;
    }
    EXPECT_GE(pruner.events().size(), 3U);
}

TEST_P(GoldenPruning, ThreeEventsAsReleased) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const auto golden = golden_pt("prune_orders.pt");
    auto walk = released_walk(variant(GetParam()));
    for (int event = 0; golden.count(GetParam() + ".step" + std::to_string(event) + ".order") > 0; ++event) {
        const auto place = GetParam() + ".step" + std::to_string(event);
        const auto order = to_vector(golden.at(place + ".order"));
        walk.run_event(order);
        walk.expect_scores(golden.at(place + ".score"), place);
        walk.expect_choice(place);
        walk.expect_order(place);
        EXPECT_EQ(walk.exact().widths(), to_vector(golden.at(place + ".s_config"))) << place;
    }
    EXPECT_GE(walk.exact().events().size(), 3U);
}

class GoldenTrajectory : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Both, GoldenTrajectory, testing::Values("taylor_ascoded", "cos_ascoded"),
                         [](const auto& info) { return info.param; });

TEST_P(GoldenTrajectory, ToTheEnd) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const auto trajectory = golden_json("trajectories_to_end.json").at(GetParam());
    ASSERT_GT(trajectory.size(), 3U);
    auto walk = released_walk(variant(GetParam()));
    for (size_t event = 0; event < trajectory.size(); ++event) {
        const auto place = "event " + std::to_string(event);
        const auto order = trajectory[event].at("order").get<std::vector<int64_t>>();
        walk.run_event(order);
        walk.expect_choice(place);
        EXPECT_EQ(walk.exact().widths(), trajectory[event].at("s_config").get<std::vector<int64_t>>())
            << place;
    }
    EXPECT_TRUE(walk.exact().finished());
}

/// As the released run to the end, or to the event at which single precision may have chosen otherwise.
TEST(GoldenPhysicalRemoval, WalksTheReleasedCosPruneTrajectory) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const auto trajectory = golden_json("trajectories_to_end.json").at("cos_ascoded");
    const auto& tested = variant("cos_ascoded");
    auto model = golden_double_model();
    const auto offsets = offsets_of(widths(*model));
    auto run = make_run(model, tested, /*mask=*/false);
    const auto& pruner = *run.pruner;
    const auto order = [&](size_t event) {
        return trajectory[event].at("order").get<std::vector<int64_t>>();
    };
    for (size_t event = 0; event < trajectory.size(); ++event) {
        run_window(run);
        const auto removed = flat(pruner.events().back().removed, offsets);
        const auto released = order(event);
        if (removed != std::set<int64_t>(released.begin(), released.end())) {
            auto walk = released_walk(tested);
            for (size_t i = 0; i <= event; ++i) walk.run_event(order(i));
            walk.expect_interchangeable(removed, "event " + std::to_string(event));
            return;
        }
        EXPECT_EQ(widths(*model), trajectory[event].at("s_config").get<std::vector<int64_t>>()) << event;
    }
    EXPECT_TRUE(pruner.finished());
}

TEST(GoldenCriteria, GradientThatTheReleasedOptimiserSees) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const auto golden = golden_pt("golden_b0.pt");
    const auto drawn = drawn_results_of_model([](PaperModel& model) {
        auto run = make_run(model, variant("taylor_ascoded"), /*mask=*/true);
        run.trainer->take_gradients(golden_double_batch(0));
        TensorMap gradients;
        for (size_t l = 0; l < vgg(*model).convolutions.size(); ++l)
            gradients[std::to_string(l)] = vgg(*model).convolutions[l]->weight.grad();
        return gradients;
    });
    for (const auto& [layer, exact] : drawn.exact)
        expect_as_drawn(drawn, layer, golden.at("conv_grad.effective." + layer));
}

}  // namespace
}  // namespace mtlprune::iterative_pruner_golden_test
