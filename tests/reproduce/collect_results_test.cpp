#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "base/error.h"
#include "reproduce/results/csv_table.h"
#include "reproduce/runner/runner.h"
#include "reproduce/stages/stage_kinds.h"
#include "tests/temporary_folder.h"

namespace mtlprune::collect_results_test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExperiment = R"({
  "name": "tiny", "seeds": [3, 8], "model": {"widths": [6, 7], "pool_after": [1], "head_width": 4},
  "data": {"height": 16, "width": 16}, "dense": {"iterations": 2},
  "retrain": {"iterations": 2, "targets": [{"parameters_fraction": 1.0}, {"parameters_fraction": 0.5}]}})";

/// 3 losses and 12 metrics; the first loss tells the row.
std::string values(double first) {
    return fmt::format(",{},1,2,3,4,5,6,7,8,9,10,11,12,13,14", first);
}

class CollectResults : public ::testing::Test {
  protected:
    CollectResults()
        : experiment_(read_experiment(kExperiment, "tiny.json")),
          columns_(evaluation_header(experiment_.model.tasks)) {
        for (const auto& stage : plan_stages(experiment_)) fabricate(stage, stage.folder(runs()));
    }

    void fabricate(const Stage& stage, const fs::path& folder) {
        make_folder(folder);
        const auto seed = static_cast<double>(stage.seed);
        if (stage.kind == StageKind::constant)
            write_file_atomically(folder / "constant.json", R"({"miou": 0.25, "abs_err": 1.5})");
        if (stage.kind == StageKind::train)
            write_file_atomically(folder / "result.csv", "event,lr,parameters,macs,iteration" + columns_ +
                                                             "\n0,0.1,900,9000,2" + values(100 + seed) +
                                                             "\n");
        if (stage.kind == StageKind::retrain)
            write_file_atomically(folder / "result.csv", "event,lr,parameters,macs,iteration" + columns_ +
                                                             "\n1,0.2,700,7000,2" + values(200 + seed) +
                                                             "\n");
        if (stage.kind != StageKind::prune) return;
        write_file_atomically(folder / "metrics.csv", "event,iteration,filters,parameters,macs" + columns_ +
                                                          "\n0,1,13,900,9000" + values(seed) +
                                                          "\n1,3,10,700,7000" + values(seed) + "\n");
        write_file_atomically(folder / "plan.json", R"({"architectures": [
            {"event": 0, "widths": [6, 7], "parameters": 900}, {"event": 1, "widths": [5, 5], "parameters": 700}],
            "events": [{"event": 1, "mean_scores": [-0.5, 0.25]}]})");
    }

    fs::path runs() const { return folder_ / "runs"; }
    fs::path results() const { return folder_ / "results"; }
    void collect() { collect_results(experiment_, runs(), results(), {{"name", "tiny"}}); }

    TemporaryFolder folder_;
    Experiment experiment_;
    std::string columns_;
};

TEST_F(CollectResults, IterativeHasOneRowPerCriterionSeedAndEvent) {
    collect();
    const auto table =
        CsvTable::read(results() / "iterative.csv", {"criterion", "seed", "event", "iteration", "filters",
                                                     "parameters", "macs", "loss_segmentation", "delta3"});
    ASSERT_EQ(table.rows(), 8);
    EXPECT_EQ(table.text(0, "criterion"), "taylor");
    EXPECT_EQ(table.text(7, "criterion"), "cosprune");
    EXPECT_EQ(table.integer(7, "seed"), 8);
    EXPECT_EQ(table.integer(7, "event"), 1);
    EXPECT_EQ(table.integer(7, "filters"), 10);
    EXPECT_EQ(table.number(7, "loss_segmentation"), 8.0);
    EXPECT_EQ(table.number(7, "delta3"), 14.0);
}

TEST_F(CollectResults, DenseRetrainingCountsForEveryCriterion) {
    collect();
    const auto table =
        CsvTable::read(results() / "retrained.csv", {"criterion", "seed", "configuration", "event", "lr",
                                                     "parameters", "macs", "loss_segmentation", "delta3"});
    ASSERT_EQ(table.rows(), 8);  // 2 criteria x 2 seeds x 2 configurations
    std::map<std::string, int> rows;
    for (int64_t row = 0; row < table.rows(); ++row) {
        ++rows[table.text(row, "criterion") + " " + table.text(row, "configuration")];
        EXPECT_EQ(table.integer(row, "parameters"), 700);
        EXPECT_EQ(table.number(row, "lr"), 0.2);
        EXPECT_EQ(table.number(row, "loss_segmentation"),
                  200.0 + static_cast<double>(table.integer(row, "seed")));
        EXPECT_EQ(table.number(row, "delta3"), 14.0);
    }
    for (const char* key : {"taylor 0", "taylor 1", "cosprune 0", "cosprune 1"})
        EXPECT_EQ(rows[key], 2) << key;
}

TEST_F(CollectResults, SmallTables) {
    collect();
    EXPECT_EQ(read_file(results() / "constant_predictor.csv"), "metric,value\nabs_err,1.5\nmiou,0.25\n");
    EXPECT_EQ(read_file(results() / "cosine.csv"),
              "criterion,seed,event,layer,average_cosine\ncosprune,3,1,1,-0.5\ncosprune,3,1,2,0.25\n"
              "cosprune,8,1,1,-0.5\ncosprune,8,1,2,0.25\n");
    const auto widths =
        CsvTable::read(results() / "widths.csv", {"criterion", "seed", "event", "layer", "width"});
    ASSERT_EQ(widths.rows(), 16);
    EXPECT_EQ(widths.integer(1, "layer"), 2);
    EXPECT_EQ(widths.integer(1, "width"), 7);
    const auto dense = CsvTable::read(results() / "dense.csv", {"seed", "loss_segmentation", "delta3"});
    ASSERT_EQ(dense.rows(), 2);
    EXPECT_EQ(dense.number(1, "loss_segmentation"), 108.0);
    EXPECT_EQ(nlohmann::json::parse(read_file(results() / "run.json")).at("name"), "tiny");
}

TEST_F(CollectResults, AMissingOrEmptyJobResultNamesTheFileAndWritesNothing) {
    const auto plan = plan_stages(experiment_);
    const auto& stage = plan.back();
    const auto file = stage.folder(runs()) / "result.csv";
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

}  // namespace
}  // namespace mtlprune::collect_results_test
