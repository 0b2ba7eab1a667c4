// What is evaluated on which split, and which network is reported.
#include "reproduce/stages/selection.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "base/atomic_file.h"
#include "models/placement.h"
#include "reproduce/report/figure_drawing.h"
#include "reproduce/stages/experiment_data.h"
#include "reproduce/stages/stage_network.h"
#include "tests/bad_input.h"
#include "tests/temporary_folder.h"

namespace mtlprune::selection_test {
namespace {

using Overrides = std::vector<std::pair<std::string, nlohmann::json>>;

constexpr const char* kPlain = R"({
  "name": "selection", "seeds": [4],
  "data": {"kind": "synthetic_rooms", "classes": 13, "train": 10, "test": 4, "render_height": 32, "render_width": 40,
           "height": 24, "width": 24},
  "model": "vgg16:channels=[6,6,8],pools=1/smallaspp:hidden=4,dropout=0",
  "stages": {
    "dense": {"kind": "train", "iterations": 8, "batch_size": 2, "evaluate_every": 2,
              "optimizer": {"kind": "adam", "lr": 0.05}},
    "prune": {"kind": "prune", "from": "dense", "strategy": "taylor", "batch_size": 2, "evaluate_every": 2,
              "schedule": {"frequency": 6}, "iterations": 18, "allocation": {"budget": {"count": 2}},
              "optimizer": {"kind": "adam", "lr": 0.05}}}})";

/// A stage that is done.
struct Done {
    Experiment experiment;
    std::filesystem::path folder;
    Table rows;
};

class Selected : public testing::Test {
  protected:
    Done run(const std::string& stage, const Overrides& overrides) {
        auto experiment = read_experiment(kPlain, "selection.json", overrides);
        const auto plan = plan_stages(experiment);
        for (size_t i = 0; i < plan.size(); ++i)
            run_stage(experiment, plan, i, folder_.path(), [](double, const std::string&) {});
        const auto folder = plan[find_stage(plan, stage, 4)].folder(folder_.path());
        return {experiment, folder, Table::read(folder / "results.csv")};
    }

  private:
    TemporaryFolder folder_;
};

std::set<int64_t> steps_on(const Table& rows, const std::string& split) {
    std::set<int64_t> steps;
    for (const auto& row : rows.rows())
        if (row.split == split) steps.insert(row.step);
    return steps;
}

/// Sum of the tasks' losses by (event, step).
std::map<std::pair<int64_t, int64_t>, double> losses_on(const Table& rows, const std::string& split) {
    std::map<std::pair<int64_t, int64_t>, double> losses;
    for (size_t i = 0; i < rows.rows().size(); ++i)
        if (const auto& row = rows.rows()[i]; row.split == split && row.metric == "loss")
            losses[{row.event, row.step}] += rows.number(i);
    return losses;
}

/// By event.
std::map<int64_t, int64_t> selected_steps(const Table& rows) {
    std::map<int64_t, int64_t> steps;
    for (size_t i = 0; i < rows.rows().size(); ++i)
        if (rows.rows()[i].metric == "selected_step")
            steps[rows.rows()[i].event] = static_cast<int64_t>(rows.number(i));
    return steps;
}

std::map<int64_t, int64_t> lowest_losses(const Table& rows, const std::string& split) {
    std::map<int64_t, int64_t> best;
    const auto losses = losses_on(rows, split);
    for (const auto& [key, loss] : losses) {
        const auto [event, step] = key;
        if (!best.contains(event) || loss < losses.at({event, best[event]})) best[event] = step;
    }
    return best;
}

/// After four steps the rate is so high that the last network is worse than the first.
Overrides getting_worse() {
    return {{"stages.dense.selection", "best_loss"},
            {"stages.dense.learning_rate_schedule", {{"kind", "step"}, {"step_size", 4}, {"gamma", 1000}}}};
}

TEST_F(Selected, TheTestSplitIsSeenOnlyAtTheEnd) {
    const auto done = run("dense", {});
    EXPECT_DOUBLE_EQ(done.experiment.data.validation, 0.1);
    EXPECT_EQ(steps_on(done.rows, "val"), (std::set<int64_t>{2, 4, 6, 8}));
    EXPECT_EQ(steps_on(done.rows, "test"), (std::set<int64_t>{8}));
    EXPECT_EQ(selected_steps(done.rows), (std::map<int64_t, int64_t>{{0, 8}}));
}

TEST_F(Selected, TheBestOnHeldOutFramesAndTheLastAreTested) {
    const auto done = run("dense", {{"stages.dense.selection", "best_loss"}});
    const auto best = lowest_losses(done.rows, "val");
    EXPECT_EQ(selected_steps(done.rows), best);
    EXPECT_EQ(steps_on(done.rows, "test"), (std::set<int64_t>{best.at(0), 8}));
}

TEST_F(Selected, TheNetworkThatIsKeptIsTheSelectedOne) {
    const auto done = run("dense", getting_worse());
    const int64_t selected = selected_steps(done.rows).at(0);
    ASSERT_LT(selected, 8);
    const auto tasks = experiment_tasks(done.experiment.data);
    const auto model =
        load_network(done.experiment.model, tasks, load_tensors(done.folder / "checkpoint.pt")).model;
    place(*model, torch::kCPU);
    const auto evaluation = evaluate(*model, collect_split(done.experiment.data, "test"), {});
    EXPECT_NEAR(evaluation.total_loss(), losses_on(done.rows, "test").at({0, selected}), 1e-6);
}

TEST_F(Selected, WindowsOfPruningSelectEachTheirOwn) {
    const auto done = run("prune", {{"stages.prune.selection", "best_loss"}});
    const auto best = lowest_losses(done.rows, "val");
    ASSERT_EQ(best.size(), 3U) << "dense and two events";
    EXPECT_EQ(selected_steps(done.rows), best);
    for (const auto& [event, step] : best) EXPECT_TRUE(losses_on(done.rows, "test").contains({event, step}));
}

TEST_F(Selected, AsInThePaperTheTestSplitChooses) {
    const auto done =
        run("dense", {{"stages.dense.selection", "paper"}, {"stages.prune.selection", "paper"}});
    EXPECT_EQ(done.experiment.data.validation, 0.0);
    EXPECT_EQ(steps_on(done.rows, "val"), std::set<int64_t>{});
    EXPECT_EQ(steps_on(done.rows, "test"), (std::set<int64_t>{2, 4, 6, 8}));
    EXPECT_EQ(selected_steps(done.rows), lowest_losses(done.rows, "test"));
}

TEST_F(Selected, ImagesTogetherGiveWhatTheTableSays) {
    static const auto python = python_with_matplotlib();
    if (!python) GTEST_SKIP() << "no python3 with matplotlib and numpy";
    const auto done = run("dense", getting_worse());
    const std::string script = std::string(MTLPRUNE_SOURCE_DIR) + "/tests/reproduce/pool_images.py";
    const auto output = done.folder / "pooled";
    const auto command =
        *python + " '" + script + "' '" + done.folder.string() + "' > '" + output.string() + "' 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0) << read_file(output);
    EXPECT_EQ(read_file(output), "2 networks, 4 images, 8 metrics agree\n");
}

TEST_F(Selected, AStageThatRepeatsAnotherHasItsFiles) {
    const auto recipe = nlohmann::json::parse(kPlain).at("stages").at("dense");
    const auto dense = run("dense", {}), again = run("again", {{"stages.again", recipe}});
    ASSERT_NE(again.folder, dense.folder);
    for (const char* name : {"curve.csv", "plan.json", "test_images.npz"})
        EXPECT_EQ(read_file(again.folder / name), read_file(dense.folder / name)) << name;
}

TEST(Selection, FramesAreHeldOutOnlyWhereTheyAreLookedAt) {
    const auto validation = [](const Overrides& overrides) {
        return read_experiment(kPlain, "selection.json", overrides).data.validation;
    };
    EXPECT_EQ(validation({{"stages.dense.evaluate_every", 0}, {"stages.prune.evaluate_every", 0}}), 0.0);
    EXPECT_EQ(validation({{"data.validation", 0.3}}), 0.3);
    EXPECT_EQ(
        error_of([&] {
            validation({{"data.validation", 0}});
        }),
        "configuration: data: validation: expected a share > 0, since stage dense has evaluate_every or a "
        "selection (\"selection\": \"paper\" looks at the test split), found 0");
}

TEST(Selection, HeldOutFramesAreNoneOfThoseTrainedOn) {
    const auto data = read_experiment(kPlain, "selection.json", {{"data.validation", 0.3}}).data;
    const auto rest = open_split(data, "train"), held_out = open_split(data, "val");
    EXPECT_EQ(rest->size(), 7);
    EXPECT_EQ(held_out->size(), 3);
    std::set<std::string> names;
    for (const auto& part : {rest, held_out})
        for (int64_t i = 0; i < part->size(); ++i) EXPECT_TRUE(names.insert(part->id(i)).second);
    EXPECT_EQ(open_split(data, "test")->size(), 4);
}

TEST(Selection, WordsSayMetricAndSplit) {
    EXPECT_TRUE(selection_of("last").is_last);
    EXPECT_EQ(selection_of("best_loss").metric, "");
    EXPECT_EQ(selection_of("best_pixel_accuracy").metric, "pixel_accuracy");
    EXPECT_FALSE(selection_of("best_pixel_accuracy").on_test);
    EXPECT_TRUE(selection_of("paper").on_test);
    EXPECT_EQ(selection_of("paper").metric, "");
    EXPECT_EQ(selection_of("paper_pixel_accuracy").metric, "pixel_accuracy");
    Evaluation evaluation{{0.5, 0.25}, {{{.name = "error"}, 3.0}}};
    EXPECT_EQ(selection_of("paper").score(evaluation), -0.75);
    EXPECT_EQ(selection_of("best_error").score(evaluation), -3.0);
}

/// The formula as the released script writes it, with NYUv2's metrics by name.
double adapmtl_by_hand(std::map<std::string, double> m, const std::map<std::string, double>& dense) {
    for (auto& [name, value] : m) value /= dense.at(name);
    const double segmentation = (m["miou"] + m["pixel_accuracy"]) / 2;
    const double normals =
        m["within_11_25"] + m["within_22_5"] + m["within_30"] - m["angle_mean"] - m["angle_median"];
    const double depth = m["delta1"] + m["delta2"] + m["delta3"] - m["abs_err"] - m["rel_err"];
    return (segmentation + normals + depth) / 3;
}

TEST(Selection, ByAdapmtlsScore) {
    const std::map<std::string, double> resnet34 = {
        {"miou", .2525},           {"pixel_accuracy", .5773}, {"angle_mean", 17.2398},
        {"angle_median", 14.9797}, {"within_11_25", 36.433},  {"within_22_5", 72.0786},
        {"within_30", 85.2728},    {"abs_err", .5551},        {"rel_err", .2151},
        {"delta1", 64.4659},       {"delta2", 89.8674},       {"delta3", 97.4203}};
    const auto definitions = metric_definitions(nyuv2_tasks(40));
    const auto evaluation_of = [&](const std::map<std::string, double>& values) {
        Evaluation evaluation{{1, 2, 3}, {}};
        for (const auto& info : definitions) evaluation.metrics.push_back({info, values.at(info.name)});
        return evaluation;
    };
    const auto selection = selection_of("best_adapmtl_resnet34");
    EXPECT_FALSE(selection.on_test);
    EXPECT_TRUE(selection_of("paper_adapmtl_mobilenetv2").on_test);
    EXPECT_NEAR(selection.score(evaluation_of(resnet34)), 1, 1e-15);
    for (const auto& info : definitions) {
        auto other = resnet34;
        other[info.name] *= 1.25;
        const double score = selection.score(evaluation_of(other));
        EXPECT_NEAR(score, adapmtl_by_hand(other, resnet34), 1e-14) << info.name;
        EXPECT_EQ(score > 1, info.higher_is_better) << info.name;
    }
    EXPECT_THROW(selection.score({{1.0}, {{{.name = "miou"}, 0.5}}}), Error);
}

}  // namespace
}  // namespace mtlprune::selection_test
