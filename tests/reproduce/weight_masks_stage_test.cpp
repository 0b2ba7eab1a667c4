// A stage that masks weights: its rows, its files, and what a killed one leaves.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "base/atomic_file.h"
#include "base/json_reader.h"
#include "models/placement.h"
#include "pruning/masks/weight_masks.h"
#include "reproduce/stages/experiment_data.h"
#include "reproduce/stages/pruned_architecture.h"
#include "reproduce/stages/stage_kinds.h"
#include "tests/bad_input.h"
#include "tests/temporary_folder.h"

namespace mtlprune::weight_masks_stage_test {
namespace {

namespace fs = std::filesystem;
using Overrides = std::vector<std::pair<std::string, nlohmann::json>>;

constexpr const char* kExperiment = R"({
  "name": "masks", "seeds": [4],
  "data": {"kind": "synthetic_rooms", "classes": 13, "train": 8, "test": 4, "render_height": 32, "render_width": 40,
           "height": 24, "width": 24},
  "model": "vgg16:channels=[6,6,8],pools=1/smallaspp:hidden=4,dropout=0.2",
  "stages": {
    "dense": {"kind": "train", "iterations": 3, "batch_size": 2, "optimizer": {"kind": "adam", "lr": 0.003}},
    "sparse": {"kind": "prune", "from": "dense", "strategy": "disparse_dynamic", "batch_size": 2, "iterations": 12,
               "weight_masking": "disparse:mode=dynamic,density=0.2,interval=2",
               "optimizer": {"kind": "adam", "lr": 0.003}}}})";

/// Checkpoints after every iteration, as long as it lives.
class EagerCheckpoints {
  public:
    EagerCheckpoints() { ::setenv("MTLPRUNE_CHECKPOINT_SECONDS", "0", 1); }
    ~EagerCheckpoints() { ::unsetenv("MTLPRUNE_CHECKPOINT_SECONDS"); }
    EagerCheckpoints(const EagerCheckpoints&) = delete;
    EagerCheckpoints& operator=(const EagerCheckpoints&) = delete;
};

struct Killed {};

class MaskedStage : public testing::Test {
  protected:
    /// Runs dense and sparse; the latter is stopped at these iterations first.
    fs::path run(const std::string& runs, const Overrides& overrides, const std::vector<int>& kills = {}) {
        experiment_ = read_experiment(kExperiment, "masks.json", overrides);
        const auto plan = plan_stages(experiment_);
        const size_t sparse = find_stage(plan, "sparse", 4);
        run_stage(experiment_, plan, find_stage(plan, "dense", 4), folder_ / runs,
                  [](double, const std::string&) {});
        for (const int kill : kills) {
            int calls = 0;
            const auto progress = [&](double, const std::string&) {
                if (calls++ == kill) throw Killed();
            };
            EXPECT_THROW(run_stage(experiment_, plan, sparse, folder_ / runs, progress), Killed);
        }
        run_stage(experiment_, plan, sparse, folder_ / runs, [](double, const std::string&) {});
        return plan[sparse].folder(folder_ / runs);
    }

    TemporaryFolder folder_;
    Experiment experiment_;
};

std::map<std::string, double> rows_of(const fs::path& folder, const std::string& metric) {
    std::map<std::string, double> values;
    const auto table = Table::read(folder / "results.csv");
    for (size_t i = 0; i < table.rows().size(); ++i)
        if (table.rows()[i].metric == metric) values[table.rows()[i].task] = table.number(i);
    return values;
}

TEST_F(MaskedStage, ReportsSparsityAndTheDenseNetworksSize) {
    const auto folder = run("runs", {});
    const auto masks = WeightMasks::load(folder / "weight_masks.pt");
    EXPECT_NEAR(masks.count().density(), 0.2, 0.005);
    const auto densities = rows_of(folder, "weight_density");
    EXPECT_EQ(densities.at("all"), masks.count().density());
    EXPECT_EQ(rows_of(folder, "weight_density.shared").at("all"), masks.count_shared().density());
    ASSERT_EQ(densities.size(), 4U);
    for (const auto& task : masks.tasks()) EXPECT_EQ(densities.at(task), masks.count_of(task).density());
    const auto dense = folder.parent_path().parent_path() /
                       plan_stages(experiment_)[0].folder("").parent_path().filename() / "seed_4";
    for (const auto* metric : {"parameters", "macs", "filters"})
        EXPECT_EQ(rows_of(folder, metric), rows_of(dense, metric)) << metric;

    const auto plan = parse_json(read_file(folder / "plan.json"), "plan.json");
    EXPECT_TRUE(plan.at("steps").empty());
    EXPECT_EQ(plan.at("weight_masking"), "disparse:mode=dynamic,density=0.2,interval=2");
    EXPECT_EQ(plan.at("weight_density").size(), masks.layers().size());
    const auto architectures = pruned_architectures(folder);
    ASSERT_EQ(architectures.size(), 1U);
    EXPECT_EQ(static_cast<double>(architectures[0].parameters), rows_of(folder, "parameters").at("all"));
}

TEST_F(MaskedStage, TheNetworkItKeepsIsZeroWhereTheMasksSaySo) {
    const auto folder =
        run("runs", {{"stages.sparse.evaluate_every", 2}, {"stages.sparse.selection", "best_loss"}});
    const auto state = load_tensors(folder / "checkpoint.pt");
    const auto masks = WeightMasks::load(folder / "weight_masks.pt");
    const auto kept = WeightMasks::of_state(entries_of("weight_masks.", state), "checkpoint");
    for (const auto& layer : masks.layers()) {
        EXPECT_TRUE(torch::equal(kept.at(layer.name), layer.kept));
        EXPECT_TRUE(torch::equal(state.at("model." + layer.name).ne(0), layer.kept)) << layer.name;
    }
    // Selected among those after the last drop, in iteration 9.
    EXPECT_GE(rows_of(folder, "selected_step").at("all"), 10.0);
}

TEST_F(MaskedStage, KilledAndResumedGivesEqualFiles) {
    const EagerCheckpoints eager;
    for (const std::string masking : {"disparse:mode=dynamic,density=0.2,interval=2", "disparse:batches=4",
                                      "disparse:mode=pretrained,batches=4", "magnitude"}) {
        const Overrides overrides = {{"stages.sparse.weight_masking", masking},
                                     {"stages.sparse.evaluate_every", 3},
                                     {"stages.sparse.selection", "best_loss"},
                                     {"stages.sparse.ema_decay", 0.9}};
        const auto whole = run("whole_" + masking, overrides),
                   killed = run("killed_" + masking, overrides, {3, 5, 1});
        for (const auto* name : {"results.csv", "plan.json", "checkpoint.pt", "weight_masks.pt", "curve.csv"})
            EXPECT_TRUE(read_file(whole / name) == read_file(killed / name)) << masking << ": " << name;
    }
}

TEST_F(MaskedStage, AStageThatRepeatsItHasItsMasks) {
    const auto folder = run("runs", {});
    const auto recipe = nlohmann::json::parse(kExperiment).at("stages").at("sparse");
    const auto experiment = read_experiment(kExperiment, "masks.json", {{"stages.twin", recipe}});
    const auto plan = plan_stages(experiment);
    for (size_t i = 0; i < plan.size(); ++i)
        run_stage(experiment, plan, i, folder_ / "runs", [](double, const std::string&) {});
    const auto twin = plan[find_stage(plan, "twin", 4)].folder(folder_ / "runs");
    EXPECT_NE(twin, folder);
    EXPECT_TRUE(read_file(twin / "weight_masks.pt") == read_file(folder / "weight_masks.pt"));
}

TEST_F(MaskedStage, SaysWhatItLacks) {
    EXPECT_EQ(
        error_of([] {
            read_experiment(kExperiment, "masks.json", {{"stages.sparse.iterations", 0}});
        }),
        "configuration: masks.json: stages: sparse: iterations: expected how long the network trains under "
        "weight_masking, found 0");
    EXPECT_NE(
        error_of([] {
            read_experiment(kExperiment, "masks.json", {{"stages.sparse.schedule", {{"frequency", 2}}}});
        }).find("schedule: expected nothing beside weight_masking"),
        std::string::npos);
}

}  // namespace
}  // namespace mtlprune::weight_masks_stage_test
