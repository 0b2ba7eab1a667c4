#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "reproduce/stages/stage.h"

namespace mtlprune::stage_plan_test {
namespace {

using Overrides = std::vector<std::pair<std::string, nlohmann::json>>;

Experiment experiment(const Overrides& overrides = {}) {
    constexpr const char* text = R"({
      "name": "tiny", "seeds": [3, 8], "model": {"widths": [6, 7, 8], "pool_after": [1], "head_width": 4},
      "data": {"height": 16, "width": 16}, "dense": {"iterations": 2},
      "prune": {"frequency": 2, "filters_per_event": 3},
      "retrain": {"iterations": 2, "targets": [{"parameters_fraction": 1.0}, {"parameters_fraction": 0.5}]}})";
    return read_experiment(text, "tiny.json", overrides);
}

std::vector<const Stage*> select(const std::vector<Stage>& plan, StageKind kind) {
    std::vector<const Stage*> stages;
    for (const auto& stage : plan)
        if (stage.kind == kind) stages.push_back(&stage);
    return stages;
}

const Stage& find(const std::vector<Stage>& plan, const std::string& name, uint64_t seed) {
    const auto it = std::find_if(plan.begin(), plan.end(), [&](const Stage& stage) {
        return stage.name == name && stage.seed == seed;
    });
    if (it == plan.end()) throw std::runtime_error("no stage " + name);
    return *it;
}

TEST(StagePlan, HasEveryJobOnceAndNeedsPrecede) {
    const auto plan = plan_stages(experiment());
    // 1 constant, 2 dense, 2x2 prune, 2 dense retrainings (shared by the criteria), 2x2 retrainings
    EXPECT_EQ(plan.size(), 13u);
    std::set<std::filesystem::path> folders;
    for (size_t i = 0; i < plan.size(); ++i) {
        folders.insert(plan[i].folder("runs"));
        for (const size_t need : plan[i].needs) EXPECT_LT(need, i) << plan[i].name;
        if (plan[i].kind == StageKind::constant) continue;
        EXPECT_GT(plan[i].cost, 0.0) << plan[i].name;
    }
    EXPECT_EQ(folders.size(), plan.size());
}

TEST(StagePlan, PruningReadsTheDenseNetworkOfItsSeed) {
    const auto plan = plan_stages(experiment());
    const auto pruning = select(plan, StageKind::prune);
    ASSERT_EQ(pruning.size(), 4u);
    for (const Stage* stage : pruning) {
        ASSERT_EQ(stage->needs.size(), 1u);
        EXPECT_EQ(plan[stage->needs[0]].kind, StageKind::train);
        EXPECT_EQ(plan[stage->needs[0]].seed, stage->seed);
    }
}

TEST(StagePlan, DenseArchitectureIsRetrainedOnceForAllCriteria) {
    const auto plan = plan_stages(experiment());
    EXPECT_EQ(find(plan, "retrain-dense-0", 8).criterion, "dense");
    EXPECT_THROW(find(plan, "retrain-taylor-0", 8), std::runtime_error);
    // Event 0 of every criterion is the dense network too; another event is not.
    const auto by_event = [](int64_t event) {
        return plan_stages(
            experiment({{"retrain.targets", {{{"events", {{"taylor", event}, {"cosprune", 0}}}}}}}));
    };
    EXPECT_EQ(select(by_event(0), StageKind::retrain).size(), 2u);
    EXPECT_EQ(select(by_event(1), StageKind::retrain).size(), 4u);
}

TEST(StagePlan, DenseRetrainingByTheDenseRecipeTakesTheDenseJobsResult) {
    const auto same = plan_stages(experiment());
    const auto& stage = find(same, "retrain-dense-0", 8);
    ASSERT_EQ(stage.needs.size(), 1u);
    EXPECT_EQ(same[stage.needs[0]].name, "dense");
    EXPECT_EQ(same[stage.needs[0]].seed, 8u);
    EXPECT_LT(stage.cost, 0.01 * same[stage.needs[0]].cost);
    const nlohmann::json other_lr = {{{"parameters_fraction", 1.0}, {"lr", {{"taylor", 0.7}}}}};
    for (const Overrides& different :
         {Overrides{{"retrain.iterations", 3}}, Overrides{{"dense.optimizer.weight_decay", 0.5}},
          Overrides{{"retrain.targets", other_lr}}})
        EXPECT_TRUE(find(plan_stages(experiment(different)), "retrain-dense-0", 8).needs.empty());
}

TEST(StagePlan, RetrainingTakesItsOwnSeedsArchitectureOrTheNamedSeeds) {
    const auto own = plan_stages(experiment());
    EXPECT_EQ(own[find(own, "retrain-taylor-1", 8).needs.at(0)].seed, 8u);
    const auto shared = plan_stages(experiment({{"retrain.architecture_seed", 3}}));
    for (const uint64_t seed : {3u, 8u}) {
        const auto& source = shared[find(shared, "retrain-cosprune-1", seed).needs.at(0)];
        EXPECT_EQ(source.name, "prune-cosprune");
        EXPECT_EQ(source.seed, 3u);
    }
    EXPECT_THROW(plan_stages(experiment({{"retrain.architecture_seed", 5}})), Error);
}

/// Names (with seed) of the stages whose folder differs between the two experiments.
std::set<std::string> moved(const Overrides& overrides) {
    const auto before = plan_stages(experiment()), after = plan_stages(experiment(overrides));
    std::set<std::string> names;
    for (size_t i = 0; i < std::min(before.size(), after.size()); ++i)
        if (before[i].folder("r") != after[i].folder("r")) names.insert(before[i].name);
    return names;
}

TEST(StagePlan, AChangedKeyMovesExactlyTheJobsThatDependOnIt) {
    using Names = std::set<std::string>;
    const Names retrained = {"retrain-dense-0", "retrain-taylor-1", "retrain-cosprune-1"};
    const Names pruned = {"prune-taylor", "prune-cosprune"};
    const Names from_pruning = {"prune-taylor", "prune-cosprune", "retrain-taylor-1", "retrain-cosprune-1"};
    Names from_dense = from_pruning, all = retrained;
    from_dense.insert("dense");
    all.insert({"constant", "dense", "prune-taylor", "prune-cosprune"});
    EXPECT_EQ(moved({{"dense.optimizer.lr", 0.5}}), from_dense);
    EXPECT_EQ(moved({{"dense.schedule", {{"kind", "cosine"}, {"t_max", 4}}}}), from_dense);
    EXPECT_EQ(moved({{"prune.optimizer.lr", 0.5}}), from_pruning);
    EXPECT_EQ(moved({{"prune.floor", 4}}), from_pruning);
    EXPECT_EQ(moved({{"retrain.optimizer.lr", 0.5}}), retrained);
    EXPECT_EQ(moved({{"data.seed", 1}}), all);
    EXPECT_EQ(moved({{"margins", {{"miou", 0.1}}}}), Names{});
    EXPECT_EQ(moved({{"description", "x"}}), Names{});
}

}  // namespace
}  // namespace mtlprune::stage_plan_test
