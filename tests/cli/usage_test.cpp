// What the program says about itself and about misspelt words.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/revision.h"
#include "tests/cli/program.h"

namespace mtlprune::usage_test {
namespace {

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

TEST(Help, ExistsForTheProgramAndEverySubCommand) {
    const TemporaryFolder folder;
    const std::pair<Words, Words> cases[] = {
        {{}, {"reproduce", "train", "prune", "eval", "data", "list", "Exit codes"}},
        {{"list"}, {"criteria"}},
        {{"data"}, {"show", "render"}},
        {{"data", "show"}, {"--split", "--count", "--checkpoint", "--out", "--data"}},
        {{"data", "render"}, {"--out", "--train", "--test", "--height", "--width", "--seed"}},
        {{"data", "check"}, {"LAYOUT=DIR", "--split", "--threads", "Exit code 1"}},
        {{"data", "stats"}, {"LAYOUT=DIR", "--out", "--split", "--threads"}},
        {{"train"}, {"--scale", "--data", "--seeds", "--set", "--runs", "--device", "--fidelity"}},
        {{"prune"}, {"--scale", "--strategy", "taylor"}},
        {{"eval"}, {"CHECKPOINT", "--scale", "--data"}},
        {{"reproduce"}, {"--scale", "--results", "--jobs", "--axis", "resumes"}},
        {{"plan"}, {"--scale", "--set", "--runs", "needs"}},
        {{"run-stage"}, {"--scale", "--stage", "--seed", "--hash", "--runs"}},
        {{"report"}, {"DIR", "--axis"}},
        {{"profile"}, {"IN.pt", "--input", "--criterion", "--threads"}},
        {{"bench-compare"}, {"--metric", "--markdown", "--junit", "--history", "Exit codes"}},
        {{"bench-gate"}, {"--suite", "--record", "--cut", "--no-control", "Exit codes"}},
    };
    for (const auto& [command, parts] : cases) {
        const auto outcome = run_program(command + Words{"--help"}, folder.path());
        EXPECT_EQ(outcome.code, 0) << outcome.err;
        EXPECT_EQ(outcome.err, "");
        for (const auto& part : parts)
            EXPECT_TRUE(contains(outcome.out, part)) << part << " in\n" << outcome.out;
    }
}

TEST(Version, IsFollowedByTheRevision) {
    const TemporaryFolder folder;
    const auto outcome = run_program({"--version"}, folder.path());
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, "mtlprune " + this_program().text() + "\n");
}

TEST(List, NamesCriteriaDataModelsMetricsAndScales) {
    const TemporaryFolder folder;
    const auto outcome = run_program({"list"}, folder.path());
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    for (const char* part :
         {"taylor", "cosprune", "synthetic_rooms", "nyuv2=DIR", "smallaspp", "pixel_accuracy", "miou",
          "angle_mean", "rel_err", "delta3", "smoke", "quick", "small"})
        EXPECT_TRUE(contains(outcome.out, part)) << part;
}

TEST(List, DescribesEveryMetricAsJson) {
    const TemporaryFolder folder;
    const auto outcome = run_program({"list", "--json", "metrics"}, folder.path());
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    std::map<std::string, nlohmann::json> found;
    for (const auto& metric : nlohmann::json::parse(outcome.out))
        found[metric["task"].get<std::string>() + "/" + metric["name"].get<std::string>()] = metric;
    for (const char* metric : {"segmentation/miou", "normals/within_30", "depth/delta3", "keypoints/abs_err",
                               "edges/abs_err", "classification/accuracy"})
        EXPECT_EQ(found.count(metric), 1u) << metric;
    EXPECT_EQ(found["depth/abs_err"]["unit"], "m");
    EXPECT_EQ(run_program({"list", "--json", "metric"}, folder.path()).code, 2);
}

TEST(Misspelt, WordsAreOneLineThatNamesTheNearest) {
    const TemporaryFolder folder;
    const std::pair<Words, std::string> cases[] = {
        {{"reproduec"}, "'reproduce'"},
        {{"data", "shwo"}, "'show'"},
        {{"reproduce", "--scael", "smoke"}, "'--scale'"},
        {{"prune", "--scale", "smoke", "--strategy", "tailor"}, "'taylor'"},
        {{"reproduce", "--scale", "smok"}, "'smoke'"},
        {{"reproduce", "--scale", "smoke", "--set", "dense.iteratons=3"}, "'iterations'"},
        {{"train", "--scale", "smoke", "--set", "data.knd=x"}, "'kind'"},
        {{"train", "--scale", "smoke", "--set", "dense.iterations.x=3"}, "dense.iterations.x"},
        {{"train", "--data", "nyu=DIR"}, "'nyuv2'"},
        {{"train", "--scale", "smoke", "--set", "dense"}, "KEY.PATH=VALUE"},
        {{"reproduce", "--scale", "smoke", "--jobs", "x"}, "--jobs"},
        {{"reproduce", "--scale", "smoke", "--axis", "log"}, "true or paper"},
        {{"eval"}, "checkpoint"},
        {{"run-stage", "--scale", "smoke"}, "--stage NAME or --hash HASH"},
        {{"run-stage", "--scale", "smoke", "--stage", "densse", "--seed", "0"}, "'dense'"},
        {{"run-stage", "--scale", "smoke", "--stage", "dense", "--seed", "7"}, "no such seed"},
        {{"run-stage", "--scale", "smoke", "--stage", "dense"}, "2 stages"},
        {{"run-stage", "--scale", "smoke", "--hash", "0123"}, "0123"},
        {{"run-stage", "--scale", "smoke", "--stage", "dense", "--seed", "0", "--runner", "x"},
         "PROCESS:DESCRIPTOR"},
        {{"report", "nowhere"}, "nowhere"},
        {{"data", "render"}, "out"},
    };
    for (const auto& [arguments, part] : cases) {
        const auto outcome = run_program(arguments, folder.path());
        EXPECT_EQ(outcome.code, 2) << outcome.text();
        EXPECT_TRUE(contains(outcome.err, part)) << part << ": " << outcome.err;
        EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
        EXPECT_EQ(outcome.out, "");
    }
    EXPECT_FALSE(std::filesystem::exists(folder / "runs"));
}

TEST(NoCommand, IsBadInputAndShowsTheUsage) {
    const TemporaryFolder folder;
    const auto outcome = run_program({}, folder.path());
    EXPECT_EQ(outcome.code, 2);
    EXPECT_TRUE(contains(outcome.err, "usage: mtlprune COMMAND"));
}

}  // namespace
}  // namespace mtlprune::usage_test
