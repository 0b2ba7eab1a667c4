// Every strategy from a trained network to a file: its budget, its network anywhere else, killed and resumed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <ostream>
#include <stdexcept>

#include "base/atomic_file.h"
#include "models/weights/torchscript.h"
#include "pruning/masks/weight_masking.h"
#include "reproduce/stages/experiment_data.h"
#include "reproduce/stages/stage_network.h"
#include "tests/temporary_folder.h"

namespace mtlprune::every_recipe_test {
namespace {

constexpr const char* kPlain = R"({
  "name": "recipe", "seeds": [3],
  "data": {"kind": "synthetic_rooms", "classes": 13, "train": 8, "test": 2, "render_height": 36, "render_width": 48,
           "height": 32, "width": 32},
  "model": "vgg16:width=0.25,pools=2/smallaspp:hidden=8,dropout=0",
  "stages": {
    "dense": {"kind": "train", "iterations": 3, "batch_size": 4, "optimizer": {"kind": "sgd", "lr": 0.01}},
    "prune": {"kind": "prune", "from": "dense", "strategy": "l2", "iterations": 6, "batch_size": 4,
              "optimizer": {"kind": "sgd", "lr": 0.01}}}})";

bool masks_weights(const std::string& strategy) {
    return !named_strategy(strategy, {}, "test").weight_masking.empty();
}

struct Recipe {
    std::string strategy, network;
    friend std::ostream& operator<<(std::ostream& out, const Recipe& recipe) {
        return out << recipe.strategy << " on " << recipe.network;
    }
};

/// The networks of small studies: plain, residual and dilated, tokens.
const std::map<std::string, std::string>& networks() {
    static const std::map<std::string, std::string> specs = {
        {"vgg", "vgg16:width=0.25,pools=2/smallaspp:hidden=8,dropout=0"},
        {"deeplab", "deeplab_resnet34:width=0.25/smallaspp:hidden=8,dropout=0"},
        {"vit", "vit_s16:width=0.25,depth=4,image=32/linear"}};
    return specs;
}

using Overrides = std::vector<std::pair<std::string, nlohmann::json>>;

/// The same method, looking at less.
template <typename Kinds>
std::string with_less(const Kinds& kinds, const std::string& text) {
    auto choice = parse_choice("method", text);
    for (const auto& option : kinds.at(choice.key).options) {
        if (option.name == "batches" && choice.options.value("mode", "") != "dynamic")
            choice.options["batches"] = 2;
        if (option.name == "patches") choice.options["patches"] = 32;
    }
    return choice_text(choice);
}

/// At most 0.6 of `unit` ("macs", "parameters") is to stay.
Overrides overrides_of(const Recipe& recipe, const std::string& unit) {
    Overrides overrides = {{"model", networks().at(recipe.network)},
                           {"stages.prune.strategy", recipe.strategy}};
    const auto strategy = named_strategy(recipe.strategy, {}, "test");
    if (masks_weights(recipe.strategy)) {
        overrides.emplace_back("stages.prune.weight_masking",
                               with_less(weight_maskings(), strategy.weight_masking));
        return overrides;
    }
    overrides.emplace_back("stages.prune.criterion", with_less(criteria(), strategy.criterion));
    overrides.emplace_back("stages.prune.schedule",
                           nlohmann::json{{"frequency", 3}, {"events", 1}, {"observed", 2}});
    overrides.emplace_back("stages.prune.allocation",
                           nlohmann::json{{"budget", {{unit, 0.6}}}, {"min_channels", 1}});
    return overrides;
}

struct RecipeRun {
    Experiment experiment;
    std::vector<Stage> plan;
    std::filesystem::path runs;

    RecipeRun(const Overrides& overrides, const std::filesystem::path& folder)
        : experiment(read_experiment(kPlain, "recipe.json", overrides)),
          plan(plan_stages(experiment)),
          runs(folder) {}
    void run(const StageProgress& progress = [](double, const std::string&) {}) {
        run_stage(experiment, plan, 0, runs, [](double, const std::string&) {});
        run_stage(experiment, plan, 1, runs, progress);
    }
    std::filesystem::path folder() const { return plan.at(1).folder(runs); }
    /// Of the network after the event.
    double value(const std::string& metric, int64_t event) const {
        const auto rows = Table::read(folder() / "results.csv");
        for (size_t i = 0; i < rows.rows().size(); ++i)
            if (rows.rows()[i].metric == metric && rows.rows()[i].event == event) return rows.number(i);
        throw std::runtime_error("no " + metric);
    }
    /// Over tasks, of the last network on a split.
    double sum(const std::string& metric, const std::string& split) const {
        const auto rows = Table::read(folder() / "results.csv");
        std::map<std::pair<int64_t, int64_t>, double> sums;
        for (size_t i = 0; i < rows.rows().size(); ++i)
            if (const auto& row = rows.rows()[i]; row.metric == metric && row.split == split)
                sums[{row.event, row.step}] += rows.number(i);
        return sums.rbegin()->second;
    }
};

class EveryRecipe : public testing::TestWithParam<Recipe> {
  protected:
    /// Dense networks are trained once for all recipes.
    static void SetUpTestSuite() { shared_ = std::make_unique<TemporaryFolder>(); }
    static void TearDownTestSuite() { shared_.reset(); }
    static std::filesystem::path shared() { return shared_->path(); }

  private:
    static std::unique_ptr<TemporaryFolder> shared_;
};
std::unique_ptr<TemporaryFolder> EveryRecipe::shared_;

/// What the budget does not decide: PAGCP stops where a task's loss does, dynamic DiSparse gives every layer
/// the width that ERK says for as many channels.
bool decides_itself(const std::string& strategy) {
    return strategy == "pagcp" || strategy == "disparse_dynamic_structured";
}

TEST_P(EveryRecipe, ReachesItsBudget) {
    for (const std::string unit : {"macs", "parameters"}) {
        RecipeRun recipe(overrides_of(GetParam(), unit), shared());
        recipe.run();
        if (masks_weights(GetParam().strategy)) return;
        const double left = recipe.value(unit, 1) / recipe.value(unit, 0);
        if (decides_itself(GetParam().strategy)) {
            EXPECT_LT(left, 1.0) << unit;
            continue;
        }
        EXPECT_LE(left, 0.6) << unit;
        EXPECT_GE(left, 0.58) << unit;
    }
}

TEST_P(EveryRecipe, LeavesANetworkLikeAnyOther) {
    const torch::NoGradGuard no_grad;
    RecipeRun recipe(overrides_of(GetParam(), "macs"), shared());
    recipe.run();
    const auto tasks = experiment_tasks(recipe.experiment.data);
    const auto network =
        load_network(recipe.experiment.model, tasks, load_tensors(recipe.folder() / "checkpoint.pt"));
    network.model->eval();
    const auto image = torch::rand({2, 3, 32, 32});
    const auto predictions = network.model->forward(image);
    const auto exported = to_torchscript(*network.model, image).forward({image}).toTuple()->elements();
    for (size_t t = 0; t < predictions.size(); ++t) {
        EXPECT_TRUE(predictions[t].isfinite().all().item<bool>());
        EXPECT_TRUE(torch::allclose(exported[t].toTensor(), predictions[t], 1e-4, 1e-4));
    }
    const auto evaluation = evaluate(*network.model, collect_split(recipe.experiment.data, "test"), {});
    EXPECT_NEAR(evaluation.total_loss(), recipe.sum("loss", "test"),
                1e-3 * std::abs(evaluation.total_loss()));
}

/// Ranks of maps are nothing that the tokens of attention layers have: an Error says so.
bool fits(const std::string& strategy, const std::string& network) {
    return strategy != "hrank" || network != "vit";
}

std::vector<Recipe> recipes_on(const std::vector<std::string>& on) {
    std::vector<Recipe> recipes;
    for (const auto& strategy : strategy_names())
        for (const auto& network : on)
            if (fits(strategy, network)) recipes.push_back({strategy, network});
    return recipes;
}

std::string recipe_name(const testing::TestParamInfo<Recipe>& info) {
    return info.param.strategy + "_" + info.param.network;
}

INSTANTIATE_TEST_SUITE_P(Files, EveryRecipe, testing::ValuesIn(recipes_on({"vgg", "deeplab", "vit"})),
                         recipe_name);

class KilledRecipe : public testing::TestWithParam<Recipe> {};

/// Stops when it has told its progress so often.
StageProgress killed_after(int64_t times) {
    return [left = times](double, const std::string&) mutable {
        if (left-- == 0) throw std::runtime_error("killed");
    };
}

/// Before the event, and behind it.
TEST_P(KilledRecipe, GoesOnAsIfNothingHadHappened) {
    ::setenv("MTLPRUNE_CHECKPOINT_SECONDS", "0", 1);
    const TemporaryFolder whole_folder, killed_folder;
    const auto overrides = overrides_of(GetParam(), "macs");
    RecipeRun whole(overrides, whole_folder.path()), killed(overrides, killed_folder.path());
    whole.run();
    for (const int64_t times : {2, 3}) EXPECT_THROW(killed.run(killed_after(times)), std::runtime_error);
    killed.run();
    ::unsetenv("MTLPRUNE_CHECKPOINT_SECONDS");
    for (const char* name : {"results.csv", "plan.json"})
        EXPECT_EQ(read_file(killed.folder() / name), read_file(whole.folder() / name)) << name;
    const auto after = load_tensors(killed.folder() / "checkpoint.pt");
    for (const auto& [name, tensor] : load_tensors(whole.folder() / "checkpoint.pt"))
        EXPECT_TRUE(tensor.equal(after.at(name))) << name;
}

/// Shares and paces refer to the network before the first event, whenever the stage was killed.
TEST(KilledPace, GoesOnAsIfNothingHadHappened) {
    ::setenv("MTLPRUNE_CHECKPOINT_SECONDS", "0", 1);
    for (const nlohmann::json& budget : {nlohmann::json{{"channels", 0.6}}, nlohmann::json{{"macs", 0.2}}}) {
        const TemporaryFolder whole_folder, killed_folder;
        const Overrides overrides = {
            {"stages.prune.strategy", "gradual_magnitude"},
            {"stages.prune.iterations", 9},
            {"stages.prune.schedule", {{"frequency", 2}, {"events", 3}, {"pace", "linear"}}},
            {"stages.prune.allocation", {{"budget", budget}, {"min_channels", 1}}}};
        RecipeRun whole(overrides, whole_folder.path()), killed(overrides, killed_folder.path());
        whole.run();
        for (int64_t kill = 0; kill < 2; ++kill)
            EXPECT_THROW(killed.run(killed_after(3)), std::runtime_error);
        killed.run();
        EXPECT_EQ(read_file(killed.folder() / "results.csv"), read_file(whole.folder() / "results.csv"));
        EXPECT_EQ(read_file(killed.folder() / "plan.json"), read_file(whole.folder() / "plan.json"));
    }
    ::unsetenv("MTLPRUNE_CHECKPOINT_SECONDS");
}

INSTANTIATE_TEST_SUITE_P(Files, KilledRecipe, testing::ValuesIn(recipes_on({"vgg"})), recipe_name);

}  // namespace
}  // namespace mtlprune::every_recipe_test
