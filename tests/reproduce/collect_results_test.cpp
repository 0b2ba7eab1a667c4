#include "reproduce/results/collect_results.h"

#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/table.h"
#include "reproduce/results/stage_rows.h"
#include "tests/temporary_folder.h"

namespace mtlprune::collect_results_test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExperiment = R"({
  "name": "tiny", "seeds": [3, 8], "model": "vgg16:channels=[6,7],pools=0/smallaspp:hidden=4",
  "data": {"height": 16, "width": 16}, "dense": {"iterations": 2},
  "retrain": {"iterations": 2, "targets": [{"parameters_fraction": 1.0}, {"parameters_fraction": 0.5}]}})";

class CollectResults : public ::testing::Test {
  protected:
    CollectResults()
        : experiment_(read_experiment(kExperiment, "tiny.json")),
          plan_(plan_stages(experiment_)),
          statuses_(plan_.size()) {
        for (const auto& stage : plan_) fabricate(stage);
    }

    static TableRow key(const Stage& stage) {
        return {stage.name, stage.strategy, stage.seed, 0, 0, "", "", "", ""};
    }

    void fabricate(const Stage& stage) {
        make_folder(stage.folder(runs()));
        Table rows;
        auto row = key(stage);
        row.split = "test";
        row.task = "depth";
        rows.add(row, "rel_err", 0.25 + static_cast<double>(stage.seed));
        add_status(rows, key(stage), "PASSED");
        rows.write(stage.folder(runs()) / "results.csv");
        write_file_atomically(stage.folder(runs()) / "env.json", R"({"cores": 2})");
    }

    fs::path runs() const { return folder_ / "runs"; }
    fs::path results() const { return folder_ / "results"; }
    void collect() {
        collect_results(plan_, statuses_, runs(), results(), {{"name", "tiny"}}, nyuv2_tasks(13));
    }

    TemporaryFolder folder_;
    Experiment experiment_;
    std::vector<Stage> plan_;
    std::vector<StageStatus> statuses_;
};

TEST_F(CollectResults, HasTheRowsOfEveryStageInThePlansOrder) {
    collect();
    const auto table = Table::read(results() / "results.csv");
    ASSERT_EQ(table.rows().size(), 2 * plan_.size());
    for (size_t i = 0; i < plan_.size(); ++i) {
        EXPECT_EQ(table.rows()[2 * i].stage, plan_[i].name);
        EXPECT_EQ(table.rows()[2 * i].seed, plan_[i].seed);
        EXPECT_EQ(table.number(2 * i), 0.25 + static_cast<double>(plan_[i].seed));
        EXPECT_EQ(table.rows()[2 * i + 1].value, "PASSED");
    }
    EXPECT_EQ(nlohmann::json::parse(read_file(results() / "run.json")).at("name"), "tiny");
}

TEST_F(CollectResults, AStageThatDidNotRunHasAStatusWithItsReason) {
    const size_t last = plan_.size() - 1;
    statuses_[last] = {StageStatus::Kind::skipped, "dense seed 3, \"needed\",\nis missing"};
    statuses_[last - 1] = {StageStatus::Kind::failed, "exit code 2"};
    for (const size_t i : {last, last - 1}) fs::remove(plan_[i].folder(runs()) / "results.csv");
    collect();
    const auto table = Table::read(results() / "results.csv");
    ASSERT_EQ(table.rows().size(), 2 * plan_.size() - 2);
    EXPECT_EQ(table.rows().back().metric, "status");
    EXPECT_EQ(table.rows().back().stage, plan_[last].name);
    EXPECT_EQ(table.rows().back().value, "SKIPPED(dense seed 3; 'needed'; is missing)");
    EXPECT_EQ(table.rows()[table.rows().size() - 2].value, "FAILED(exit code 2)");
}

TEST_F(CollectResults, CountTheProgramsThatComputedTheStages) {
    const auto record = [&](size_t stage, const char* text) {
        write_file_atomically(plan_[stage].folder(runs()) / "env.json", text);
    };
    record(1, R"({"program": {"version": "0.2.0", "revision": "abc"}})");
    record(3, R"({"program": {"version": "0.2.0", "revision": "abc"}})");
    record(4, R"({"program": {"version": "0.2.0", "revision": "abc + changes"}})");
    statuses_[4] = {StageStatus::Kind::failed, "exit code 2"};
    collect();
    const nlohmann::json expected = {
        {{"version", "not recorded"}, {"revision", "not recorded"}, {"stages", plan_.size() - 3}},
        {{"version", "0.2.0"}, {"revision", "abc"}, {"stages", 2}}};
    EXPECT_EQ(nlohmann::json::parse(read_file(results() / "run.json")).at("programs"), expected);
    record(3, R"({"program": {"version": "0.2.0"}})");
    EXPECT_THROW(collect(), Error);
}

TEST_F(CollectResults, AMissingOrDamagedStageResultNamesTheFileAndWritesNothing) {
    const auto file = plan_.back().folder(runs()) / "results.csv";
    for (const char* content : {"", "event,lr\n", "absent"}) {
        if (std::string(content) == "absent")
            fs::remove(file);
        else
            write_file_atomically(file, content);
        try {
            collect();
            ADD_FAILURE() << "no error for '" << content << "'";
        } catch (const Error& error) {
            EXPECT_NE(std::string(error.what()).find(file.string()), std::string::npos) << error.what();
        }
        EXPECT_FALSE(fs::exists(results()));
    }
}

TEST(FigureStages, OfTheTemplateNameTheStagesOfThePlan) {
    const auto experiment = read_experiment(kExperiment, "tiny.json");
    const auto& figures = experiment.figures.value();
    const auto plan = plan_stages(experiment);
    for (const auto& [strategy, stage] : figures.iterative)
        EXPECT_EQ(plan[find_stage(plan, stage, 8)].prune.criterion, strategy);
    EXPECT_EQ(figures.iterative.size(), 2u);
    ASSERT_EQ(figures.retrained.size(), 4u);  // 2 configurations x 2 criteria
    for (const auto& entry : figures.retrained) {
        const auto& stage = plan[find_stage(plan, entry.stage, 3)];
        EXPECT_EQ(stage.kind, entry.configuration == 0 ? StageKind::train : StageKind::retrain);
        EXPECT_EQ(stage.strategy, entry.configuration == 0 ? "dense" : entry.strategy);
    }
    const auto json = figure_stages_to_json(figures);
    EXPECT_EQ(figure_stages_to_json(read_figure_stages(json, "run.json")), json);
    EXPECT_THROW(read_figure_stages({{"constant", "c"}}, "run.json"), Error);
}

}  // namespace
}  // namespace mtlprune::collect_results_test
