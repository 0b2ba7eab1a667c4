// A criterion, a backbone and a data set that were added as one file and one line each (tests/newcomer/) are
// everywhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/script.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/table.h"
#include "tests/cli/program.h"

namespace mtlprune::newcomer_test {
namespace {

using ::testing::HasSubstr;

Outcome run_newcomer(const Words& arguments, const std::filesystem::path& folder) {
    return Program(arguments, folder, {}, MTLPRUNE_PROGRAM "_newcomer").wait();
}

TEST(Newcomer, IsListedAndInTheHelp) {
    const TemporaryFolder folder;
    const auto list = run_newcomer({"list"}, folder.path()).out;
    for (const char* text :
         {"variance of a filter's weights", "one residual block of a newcomer", "four frames of a newcomer"})
        EXPECT_THAT(list, HasSubstr(text));
    EXPECT_THAT(run_newcomer({"prune-torchscript", "--help"}, folder.path()).out, HasSubstr("variance"));
    const auto without = run_program({"list"}, folder.path());
    EXPECT_THAT(without.out, Not(HasSubstr("variance of a filter's weights")));
}

TEST(Newcomer, PrunesAFileByItsOwnScores) {
    const TemporaryFolder folder;
    torch::jit::Module module("net");
    module.register_attribute("training", c10::BoolType::get(), false);
    // Filters with the variances 0, 1, 4 and 0.
    const auto first = torch::tensor({7.0, 7.0, 1.0, -1.0, 2.0, -2.0, 3.0, 3.0}).view({4, 2, 1, 1});
    module.register_parameter("first", first, false);
    module.register_parameter("last", torch::ones({3, 4, 1, 1}), false);
    module.define(
        "def forward(self, x):\n  return torch.conv2d(torch.relu(torch.conv2d(x, self.first)), self.last)\n");
    module.save((folder / "net.pt").string());
    const auto outcome =
        run_newcomer({"prune-torchscript", "net.pt", "--input", "1x2x4x4", "--criterion", "variance",
                      "--ratio", "0.5", "--out", "out.pt", "--plan", "plan.json"},
                     folder.path());
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const auto plan = nlohmann::json::parse(read_file(folder / "plan.json"));
    EXPECT_EQ(plan["steps"][0]["groups"][0]["channels"], (std::vector<int64_t>{0, 3}));
}

TEST(Newcomer, PrunesIterativelyInAnExperimentNamedInJson) {
    const TemporaryFolder folder;
    write_file_atomically(folder / "mine.json", R"({
      "name": "mine", "seeds": [0],
      "data": {"kind": "synthetic_rooms", "classes": 13, "train": 8, "test": 4, "render_height": 30, "render_width": 40,
               "height": 24, "width": 24, "cache": true},
      "model": "vgg16:channels=[6,6,6],pools=1/smallaspp:hidden=4,dropout=0",
      "dense": {"iterations": 2, "batch_size": 4},
      "prune": {"strategies": ["variance"], "optimizer": {"kind": "adamw"}, "batch_size": 4,
                "schedule": {"frequency": 2}, "allocation": {"budget": {"count": 4}, "min_channels": 2}}})");
    const auto outcome = run_newcomer({"prune", "--scale", "mine.json"}, folder.path());
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr("variance (seed 0)"));
    EXPECT_EQ(run_program({"prune", "--scale", "mine.json"}, folder.path()).code, 2)
        << "without it the name is unknown";
}

TEST(Newcomer, BackboneAndDataSetGoThroughAWholeExperiment) {
    const TemporaryFolder folder;
    write_file_atomically(folder / "mine.json", R"({
      "name": "mine", "seeds": [0, 1],
      "data": {"kind": "toy_frames", "height": 16, "width": 16, "normals": "true_angles"},
      "model": "toy:channels=8/smallaspp:hidden=4,dropout=0",
      "dense": {"iterations": 2, "batch_size": 2},
      "prune": {"strategies": ["taylor", "cosprune"], "batch_size": 2,
                "schedule": {"frequency": 2}, "allocation": {"budget": {"count": 6}, "min_channels": 2}},
      "retrain": {"iterations": 2, "batch_size": 2, "targets": [{"parameters_fraction": 0.7}]}})");
    const auto outcome =
        run_newcomer({"reproduce", "--scale", "mine.json", "--results", "results"}, folder.path());
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const auto table = Table::read(folder / "results" / "results.csv");
    std::set<std::string> tasks, stages;
    std::map<std::string, double> parameters;
    for (size_t i = 0; i < table.rows().size(); ++i) {
        const auto& row = table.rows()[i];
        if (row.split == "test") tasks.insert(row.task);
        if (row.metric == "status") {
            EXPECT_EQ(row.value, "PASSED") << row.stage;
        }
        if (row.metric == "parameters") parameters[row.stage] = table.number(i);
        stages.insert(row.stage);
    }
    EXPECT_EQ(tasks, (std::set<std::string>{"objects", "materials", "nearness"}));
    EXPECT_EQ(stages.size(), 6U);
    EXPECT_LT(parameters.at("retrain-taylor-0"), parameters.at("dense"));
    const auto report = read_file(folder / "results" / "report.html");
    for (const char* text : {"objects", "materials", "nearness"}) EXPECT_THAT(report, HasSubstr(text));
    EXPECT_TRUE(std::filesystem::exists(folder / "results" / "figure1.png"));
}

}  // namespace
}  // namespace mtlprune::newcomer_test
