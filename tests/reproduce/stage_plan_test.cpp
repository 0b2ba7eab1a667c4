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
      "name": "tiny", "seeds": [3, 8], "model": "vgg16:channels=[6,7,8],pools=1/smallaspp:hidden=4",
      "data": {"height": 16, "width": 16}, "dense": {"iterations": 2},
      "prune": {"schedule": {"frequency": 2}, "allocation": {"budget": {"count": 3}}},
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
    EXPECT_EQ(find(plan, "retrain-dense-0", 8).strategy, "dense");
    EXPECT_THROW(find(plan, "retrain-taylor-0", 8), std::runtime_error);
    // Event 0 of every criterion is the dense network too; another event is not.
    const auto by_event = [](int64_t event) {
        return plan_stages(
            experiment({{"retrain.targets", {{{"events", {{"taylor", event}, {"cosprune", 0}}}}}}}));
    };
    EXPECT_EQ(select(by_event(0), StageKind::retrain).size(), 0u);
    EXPECT_EQ(select(by_event(0), StageKind::train).size(), 4u);  // with the dense networks
    EXPECT_EQ(select(by_event(1), StageKind::retrain).size(), 4u);
}

TEST(StagePlan, DenseRetrainingByTheDenseRecipeTakesTheDenseJobsResult) {
    const auto same = plan_stages(experiment());
    const auto& stage = find(same, "retrain-dense-0", 8);
    ASSERT_EQ(stage.needs.size(), 1u);
    EXPECT_TRUE(stage.repeats);
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
    EXPECT_EQ(moved({{"dense.learning_rate_schedule", {{"kind", "cosine"}, {"t_max", 4}}}}), from_dense);
    EXPECT_EQ(moved({{"prune.optimizer.lr", 0.5}}), from_pruning);
    EXPECT_EQ(moved({{"prune.allocation", {{"min_channels", 4}}}}), from_pruning);
    EXPECT_EQ(moved({{"retrain.optimizer.lr", 0.5}}), retrained);
    EXPECT_EQ(moved({{"data.seed", 1}}), all);
    EXPECT_EQ(moved({{"fidelity", {{"update", "as_released"}}}}), from_pruning);
    EXPECT_EQ(moved({{"fidelity", {{"losses", "as_released"}}}}), all);
    EXPECT_EQ(moved({{"margins", {{"miou", 0.1}}}}), Names{});
    EXPECT_EQ(moved({{"description", "x"}}), Names{});
}

/// An experiment whose stages are written out.
Experiment with_stages(const nlohmann::json& stages, const nlohmann::json& figures = {}) {
    nlohmann::json json = {{"name", "graph"}, {"seeds", {1, 2}}, {"stages", stages}};
    if (!figures.is_null()) json["figures"] = figures;
    return read_experiment(json.dump(), "graph.json");
}

const nlohmann::json kTrain = {{"kind", "train"}, {"iterations", 2}};
const nlohmann::json kPrune = {{"kind", "prune"}, {"from", "base"}, {"strategy", "taylor"}};
const nlohmann::json kRetrain = {{"kind", "retrain"}, {"from", "a-prune"}, {"event", 1}, {"iterations", 2}};

nlohmann::json changed(nlohmann::json stage, const std::string& key, const nlohmann::json& value) {
    stage[key] = value;
    return stage;
}

TEST(StageGraph, AnyValidGraphIsPlannedInAnOrderThatRespectsNeeds) {
    // Names sort against the order of needs; pruning again what was re-trained; no constant stage; no
    // figures.
    const auto experiment = with_stages({{"base", kTrain},
                                         {"a-prune", kPrune},
                                         {"0-retrain", kRetrain},
                                         {"00-prune-again", changed(kPrune, "from", "0-retrain")}});
    EXPECT_FALSE(experiment.figures.has_value());
    const auto plan = plan_stages(experiment);
    ASSERT_EQ(plan.size(), 8u);
    std::vector<std::string> names;
    for (size_t i = 0; i < plan.size(); ++i) {
        for (const size_t need : plan[i].needs) {
            EXPECT_LT(need, i);
            EXPECT_EQ(plan[need].name, plan[i].from);
            EXPECT_EQ(plan[need].seed, plan[i].seed);
        }
        if (plan[i].seed == 1) names.push_back(plan[i].name);
    }
    EXPECT_EQ(names, (std::vector<std::string>{"base", "a-prune", "0-retrain", "00-prune-again"}));
    EXPECT_EQ(plan[find_stage(plan, "base", 1)].strategy, "base");
    EXPECT_EQ(plan[find_stage(plan, "a-prune", 1)].strategy, "taylor");
}

TEST(StageGraph, AnotherSeedsArchitectureCanBeNamed) {
    const auto plan = plan_stages(
        with_stages({{"base", kTrain}, {"a-prune", kPrune}, {"r", changed(kRetrain, "from_seed", 2)}}));
    EXPECT_EQ(plan[plan[find_stage(plan, "r", 1)].needs.at(0)].seed, 2u);
}

TEST(StageGraph, TheCanonicalFormReadsBackAsTheSameStages) {
    const auto once = with_stages({{"base", kTrain}, {"a-prune", kPrune}});
    const auto again = read_experiment(once.canonical.dump(), "canonical");
    ASSERT_EQ(again.stages.size(), 2u);
    EXPECT_EQ(plan_stages(again)[3].hash(), plan_stages(once)[3].hash());
}

TEST(StageGraph, ImpossibleGraphsAreRefusedWithTheStagesName) {
    const std::pair<nlohmann::json, std::string> cases[] = {
        {{{"base", kTrain}, {"p", changed(kPrune, "from", "bse")}},
         "p: from: expected the name of a stage, found 'bse'"},
        {{{"base", kTrain}, {"p", changed(kPrune, "strategy", "tailor")}}, "'taylor'"},
        {{{"base", kTrain}, {"r", changed(kRetrain, "from", "base")}},
         "a prune stage, found 'base', a train stage"},
        {{{"c", {{"kind", "constant"}}}, {"p", changed(kPrune, "from", "c")}}, "a train or retrain stage"},
        {{{"a-prune", changed(kPrune, "from", "r")}, {"r", kRetrain}}, "start from each other"},
        {{{"base", {{"kind", "trian"}}}}, "'train'"},
        {{{"base", {{"iterations", 2}}}}, "kind"},
        {{{"base", changed(kTrain, "iterations", 0)}}, "iterations"},
        {{{"base", changed(kTrain, "frequency", 3)}}, "'frequency'"},
        {{{"base", kTrain}, {"a-prune", kPrune}, {"r", changed(kRetrain, "parameters_fraction", 0.5)}},
         "both"},
        {nlohmann::json::object(), "at least one"},
    };
    for (const auto& [stages, part] : cases) {
        try {
            with_stages(stages);
            ADD_FAILURE() << "no error for " << stages;
        } catch (const Error& error) {
            const std::string message = error.what();
            EXPECT_NE(message.find(part), std::string::npos) << part << ": " << message;
            EXPECT_NE(message.find("graph.json: stages"), std::string::npos) << message;
        }
    }
    const nlohmann::json figures = {
        {"constant", "c"}, {"dense", "base"}, {"iterative", nlohmann::json::array()}};
    EXPECT_THROW(with_stages({{"base", kTrain}}, figures), Error);                 // there is no stage c
    EXPECT_THROW(with_stages({{"base", kTrain}, {"c", kTrain}}, figures), Error);  // it is a train stage
    EXPECT_NO_THROW(with_stages({{"base", kTrain}, {"c", {{"kind", "constant"}}}}, figures));
}

}  // namespace
}  // namespace mtlprune::stage_plan_test
