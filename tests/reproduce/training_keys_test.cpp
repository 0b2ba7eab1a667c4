// The keys of a recipe that say how a network is trained: identity, results, and resuming.
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/table.h"
#include "reproduce/stages/stage.h"
#include "tests/temporary_folder.h"
#include "training/checkpoint.h"

namespace mtlprune::training_keys_test {
namespace {

namespace fs = std::filesystem;
using Overrides = std::vector<std::pair<std::string, nlohmann::json>>;

constexpr const char* kPlain = R"({
  "name": "keys", "seeds": [4],
  "data": {"kind": "synthetic_rooms", "classes": 13, "train": 8, "test": 4, "render_height": 32, "render_width": 40,
           "height": 24, "width": 24},
  "model": "vgg16:channels=[6,6,8],pools=1/smallaspp:hidden=4,dropout=0.2",
  "dense": {"iterations": 6, "batch_size": 2, "evaluate_every": 2, "selection": "best_loss",
            "optimizer": {"kind": "adam", "lr": 0.003}},
  "prune": {"strategies": ["taylor"], "batch_size": 2, "schedule": {"frequency": 2}, "iterations": 6,
            "allocation": {"budget": {"count": 2}}, "optimizer": {"kind": "adamw", "lr": 0.0005}}})";

Experiment read(const Overrides& overrides = {}) {
    return read_experiment(kPlain, "keys.json", overrides);
}

const StageRecipe& stage(const Experiment& experiment, const std::string& name) {
    for (const auto& stage : experiment.stages)
        if (stage.name == name) return stage;
    throw std::runtime_error("no stage " + name);
}

std::string hash_of(const Overrides& overrides) {
    const auto experiment = read(overrides);
    const auto plan = plan_stages(experiment);
    return plan[find_stage(plan, "dense", 4)].hash();
}

TEST(TrainingKeys, AtTheirDefaultsAStageIsWhatItWasBeforeThereWereAny) {
    const Overrides defaults = {{"dense.accumulate", 1},
                                {"dense.clip_norm", 0.0},
                                {"dense.precision", "float32"},
                                {"dense.task_weighting", "fixed"},
                                {"dense.flush_denormals", false},
                                {"dense.ema_decay", 0},
                                {"dense.check_finite_every", 0},
                                {"dense.count_subnormals_every", 0},
                                {"dense.learning_rate_schedule.warm_up", 0}};
    EXPECT_EQ(hash_of(defaults), hash_of({}));
    EXPECT_EQ(read(defaults).canonical, read().canonical);
    std::set<std::string> keys;
    const auto experiment = read(defaults);
    for (const auto& [key, value] : stage(experiment, "dense").recipe.items()) keys.insert(key);
    EXPECT_EQ(keys, (std::set<std::string>{"batch_size", "evaluate_every", "iterations", "kind",
                                           "learning_rate_schedule", "optimizer", "selection"}));
}

TEST(TrainingKeys, EveryOneIsPartOfTheIdentityButTheGuard) {
    const Overrides others = {{"dense.accumulate", 2},
                              {"dense.clip_norm", 0.5},
                              {"dense.precision", "bfloat16"},
                              {"dense.task_weighting", "dwa"},
                              {"dense.flush_denormals", true},
                              {"dense.ema_decay", 0.5},
                              {"dense.count_subnormals_every", 3},
                              {"dense.learning_rate_schedule.warm_up", 2}};
    std::set<std::string> hashes = {hash_of({})};
    for (const auto& change : others) EXPECT_TRUE(hashes.insert(hash_of({change})).second) << change.first;
    EXPECT_EQ(hash_of({{"dense.check_finite_every", 5}}), hash_of({}));
}

TEST(TrainingKeys, AreRefusedWithPlaceAndNearestName) {
    const auto message = [](const Overrides& overrides) -> std::string {
        try {
            read(overrides);
        } catch (const Error& error) {
            return error.what();
        }
        return "";
    };
    EXPECT_NE(message({{"dense.ema_decay", 1.0}}).find("dense: ema_decay"), std::string::npos);
    EXPECT_NE(message({{"prune.accumulat", 2}}).find("did you mean 'accumulate'"), std::string::npos);
    EXPECT_NE(message({{"prune.precision", "half"}}).find("prune: precision"), std::string::npos);
}

/// Everything at once, other things in the two stages.
Overrides everything() {
    return {{"dense.accumulate", 2},
            {"dense.clip_norm", 0.5},
            {"dense.precision", "bfloat16"},
            {"dense.task_weighting", "uncertainty"},
            {"dense.flush_denormals", true},
            {"dense.ema_decay", 0.8},
            {"dense.check_finite_every", 2},
            {"dense.count_subnormals_every", 3},
            {"dense.learning_rate_schedule.warm_up", 4},
            {"prune.accumulate", 3},
            {"prune.task_weighting", "gradnorm"},
            {"prune.ema_decay", 0.8}};
}

/// Interrupts each stage once, at half of its way, when asked to.
void run_all(const Experiment& experiment, const fs::path& folder, bool interrupted) {
    ::setenv("MTLPRUNE_CHECKPOINT_SECONDS", "0", 1);
    const auto plan = plan_stages(experiment);
    for (size_t i = 0; i < plan.size(); ++i) {
        const auto interrupt = [](double share, const std::string&) {
            if (share >= 0.5) throw std::runtime_error("killed");
        };
        if (interrupted && plan[i].kind != StageKind::constant) {
            EXPECT_THROW(run_stage(experiment, plan, i, folder, interrupt), std::runtime_error)
                << plan[i].name;
        }
        run_stage(experiment, plan, i, folder, [](double, const std::string&) {});
    }
    ::unsetenv("MTLPRUNE_CHECKPOINT_SECONDS");
}

/// Values of a metric in the order of rows.
std::vector<double> values(const Table& table, const std::string& metric) {
    std::vector<double> found;
    for (size_t i = 0; i < table.rows().size(); ++i)
        if (table.rows()[i].metric == metric) found.push_back(table.number(i));
    return found;
}

TEST(TrainingKeys, WorkTogetherAndResumeToTheByte) {
    const auto experiment = read(everything());
    const auto plan = plan_stages(experiment);
    const TemporaryFolder whole, parts;
    run_all(experiment, whole.path(), false);
    run_all(experiment, parts.path(), true);
    for (const auto& each : plan) {
        const auto a = each.folder(whole.path()), b = each.folder(parts.path());
        EXPECT_EQ(read_file(a / "results.csv"), read_file(b / "results.csv")) << each.name;
        if (each.kind == StageKind::constant) continue;
        const auto expected = load_tensors(a / "checkpoint.pt"), found = load_tensors(b / "checkpoint.pt");
        for (const auto& [name, tensor] : expected) EXPECT_TRUE(tensor.equal(found.at(name))) << name;
    }
    const auto dense = Table::read(plan[find_stage(plan, "dense", 4)].folder(whole.path()) / "results.csv");
    EXPECT_EQ(values(dense, "task_weight").size(), 9U) << "three tasks in three evaluations";
    EXPECT_EQ(values(dense, "subnormal.weight.backbone.conv1.weight").size(), 2U);
    const auto pruned =
        Table::read(plan[find_stage(plan, "prune-taylor", 4)].folder(whole.path()) / "results.csv");
    const auto weights = values(pruned, "task_weight");
    ASSERT_GE(weights.size(), 6U) << "three tasks in every window";
    EXPECT_NEAR(weights[0] + weights[1] + weights[2], 3.0, 1e-5);
    EXPECT_LT(values(pruned, "filters").back(), values(pruned, "filters").front());
}

/// The network has lost some channels on trial when it is killed.
TEST(TrainingKeys, AStageThatIsKilledInASearchResumesToTheByte) {
    const auto experiment = read({{"prune.search", "pagcp:initial_thres=1.5,topk=1.0"},
                                  {"prune.regularizer", "meta_sparsity"},
                                  {"prune.schedule.events", 2},
                                  {"prune.schedule.patience", 1},
                                  {"prune.allocation.budget", {{"macs", 0.1}}},
                                  {"prune.iterations", 24}});
    const auto plan = plan_stages(experiment);
    const TemporaryFolder whole, parts;
    run_all(experiment, whole.path(), false);
    const auto go_on = [](double, const std::string&) {};
    const auto dense = find_stage(plan, "dense", 4), prune = find_stage(plan, "prune-taylor", 4);
    ::setenv("MTLPRUNE_CHECKPOINT_SECONDS", "0", 1);
    run_stage(experiment, plan, dense, parts.path(), go_on);
    const auto interrupt = [](double, const std::string& status) {
        if (status.starts_with("searching, group 2")) throw std::runtime_error("killed");
    };
    EXPECT_THROW(run_stage(experiment, plan, prune, parts.path(), interrupt), std::runtime_error);
    run_stage(experiment, plan, prune, parts.path(), go_on);
    ::unsetenv("MTLPRUNE_CHECKPOINT_SECONDS");
    const auto a = plan[prune].folder(whole.path()), b = plan[prune].folder(parts.path());
    for (const char* file : {"results.csv", "plan.json"}) EXPECT_EQ(read_file(a / file), read_file(b / file));
    const auto expected = load_tensors(a / "checkpoint.pt"), found = load_tensors(b / "checkpoint.pt");
    for (const auto& [name, tensor] : expected) EXPECT_TRUE(tensor.equal(found.at(name))) << name;
    EXPECT_NE(read_file(a / "plan.json").find("pagcp: "), std::string::npos);
    const auto filters = values(Table::read(a / "results.csv"), "filters");
    EXPECT_LT(filters.back(), filters.front());
}

TEST(TrainingKeys, AMaskedNetworkIsMaskedInItsAverageToo) {
    const auto experiment = read({{"prune.edit", "mask"}, {"prune.ema_decay", 0.9}});
    const auto plan = plan_stages(experiment);
    const TemporaryFolder folder;
    run_all(experiment, folder.path(), false);
    const auto weights =
        load_tensors(plan[find_stage(plan, "prune-taylor", 4)].folder(folder.path()) / "checkpoint.pt");
    int64_t zero = 0;
    for (const auto& [name, tensor] : weights)
        if (name.ends_with("conv1.weight") || name.ends_with("conv2.weight") ||
            name.ends_with("conv3.weight"))
            if (name.find("backbone") != std::string::npos)
                zero += tensor.flatten(1).abs().sum(1).eq(0).sum().item<int64_t>();
    EXPECT_GE(zero, 2) << "one event took two channels";
}

TEST(TrainingKeys, AGuardStopsTheStageAndLeavesWhatItSaw) {
    const auto experiment = read(
        {{"dense.optimizer.kind", "sgd"}, {"dense.optimizer.lr", 1e30}, {"dense.check_finite_every", 1}});
    const auto plan = plan_stages(experiment);
    const TemporaryFolder folder;
    const size_t dense = find_stage(plan, "dense", 4);
    try {
        run_stage(experiment, plan, dense, folder.path(), [](double, const std::string&) {});
        FAIL();
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("iteration 1"), std::string::npos) << error.what();
    }
    EXPECT_TRUE(fs::exists(plan[dense].folder(folder.path()) / "not_finite_batch.pt"));
    EXPECT_TRUE(fs::exists(plan[dense].folder(folder.path()) / "not_finite_model.pt"));
}

}  // namespace
}  // namespace mtlprune::training_keys_test
