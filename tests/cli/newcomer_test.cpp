// A criterion that was added as one file and one line (tests/newcomer/) is everywhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/script.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

namespace mtlprune::newcomer_test {
namespace {

using ::testing::HasSubstr;

Outcome run_newcomer(const Words& arguments, const std::filesystem::path& folder) {
    return Program(arguments, folder, {}, MTLPRUNE_PROGRAM "_newcomer").wait();
}

TEST(Newcomer, IsListedAndInTheHelp) {
    const TemporaryFolder folder;
    EXPECT_THAT(run_newcomer({"list"}, folder.path()).out, HasSubstr("variance of a filter's weights"));
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
      "model": {"widths": [6, 6, 6], "pool_after": [1], "head_width": 4, "dropout": 0.0},
      "dense": {"iterations": 2, "batch_size": 4},
      "prune": {"criteria": ["variance"], "optimizer": {"kind": "adamw"}, "batch_size": 4, "frequency": 2,
                "filters_per_event": 4, "floor": 2}})");
    const auto outcome = run_newcomer({"prune", "--scale", "mine.json"}, folder.path());
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr("variance (seed 0)"));
    EXPECT_EQ(run_program({"prune", "--scale", "mine.json"}, folder.path()).code, 2)
        << "without it the name is unknown";
}

}  // namespace
}  // namespace mtlprune::newcomer_test
