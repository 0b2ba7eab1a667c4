// Equal files whatever happens: run twice, killed, interrupted, resumed.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "base/random.h"
#include "base/table.h"
#include "tests/cli/program.h"

namespace mtlprune::resume_test {
namespace {

namespace fs = std::filesystem;
using Files = std::map<std::string, std::string>;

Words reproduce(const Words& extra = {}) {
    return Words{"reproduce"} + tiny_experiment() + extra;
}

void expect_equal(const Files& a, const Files& b) {
    for (const auto& [name, content] : a) {
        ASSERT_TRUE(b.count(name) > 0) << name << " is missing";
        EXPECT_TRUE(b.at(name) == content) << name << " differs";
    }
    for (const auto& [name, content] : b) EXPECT_TRUE(a.count(name) > 0) << name << " is too many";
}

void expect_equal_results(const fs::path& a, const fs::path& b) {
    expect_equal(files_below(a / "runs"), files_below(b / "runs"));
    EXPECT_EQ(read_file(a / "results" / "results.csv"), read_file(b / "results" / "results.csv"));
}

/// Runs the tiny experiment to its end in `folder`.
void complete(const fs::path& folder, const Words& extra = {}) {
    fs::create_directories(folder);
    const auto outcome = run_program(reproduce(Words{"--results", "results"} + extra), folder, kNoPython);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    ASSERT_TRUE(fs::exists(folder / "results" / "report.html"));
}

/// Identities of the checkpoint files that unfinished jobs have now.
void see_checkpoints(const fs::path& runs, std::set<std::tuple<std::string, ino_t, long>>& seen) {
    std::error_code ignored;
    for (fs::directory_iterator job(runs, ignored), end; job != end; job.increment(ignored)) {
        struct stat status {};
        const auto file = job->path() / "seed_0" / "checkpoint.pt";
        if (fs::exists(job->path() / "seed_0" / "DONE", ignored) || ::stat(file.c_str(), &status) != 0)
            continue;
        seen.emplace(file.string(), status.st_ino, status.st_mtim.tv_nsec);
    }
}

/// Starts or resumes the experiment with a checkpoint after every iteration, sends `signal` to the process
/// `group` or the parent alone once `checkpoints` checkpoints have been seen. True when that ended it.
bool interrupt(const fs::path& folder, size_t checkpoints, int signal, bool group) {
    Program program(reproduce({"--results", "results"}), folder,
                    kNoPython + Words{"MTLPRUNE_CHECKPOINT_SECONDS=0"});
    std::set<std::tuple<std::string, ino_t, long>> seen;
    while (program.running() && seen.size() < checkpoints) {
        see_checkpoints(folder / "runs", seen);
        std::this_thread::sleep_for(std::chrono::microseconds(300));
    }
    const auto children = program.children();
    ::kill(group ? -program.pid() : program.pid(), signal);
    const auto outcome = program.wait();
    for (const pid_t child : children) {
        for (int i = 0; i < 500 && !is_gone(child); ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        EXPECT_TRUE(is_gone(child)) << "a job outlived the program";
    }
    EXPECT_TRUE(outcome.signal == signal || outcome.code == 0) << outcome.code << "\n" << outcome.err;
    return outcome.signal == signal;
}

TEST(Determinism, TwoRunsAndAnyNumberOfJobsAtATimeGiveEqualFiles) {
    const TemporaryFolder folder;
    complete(folder / "a");
    complete(folder / "b", {"--jobs", "1"});
    expect_equal_results(folder / "a", folder / "b");
    const auto files = files_below(folder / "a" / "runs");
    EXPECT_EQ(files.size(), 58u);  // 7 stages with 9 files, but the constant one with 4
    for (const auto& [name, content] : files) EXPECT_EQ(name.find(".tmp"), std::string::npos) << name;
    // Everything is done: a further call changes no file and trains nothing.
    complete(folder / "a");
    expect_equal(files_below(folder / "a" / "runs"), files);
}

TEST(Resume, AfterKillsAtFiveMomentsGivesTheFilesOfAnUninterruptedRun) {
    const TemporaryFolder folder;
    complete(folder / "whole");
    fs::create_directories(folder / "killed");
    Random random(4242);
    int killed = 0;
    for (int i = 0; i < 5; ++i)
        killed += interrupt(folder / "killed", 1 + random.below(8), SIGKILL, /*group=*/i % 2 == 1);
    EXPECT_GE(killed, 3);
    complete(folder / "killed");
    expect_equal_results(folder / "whole", folder / "killed");
}

TEST(Resume, AfterControlC) {
    const TemporaryFolder folder;
    complete(folder / "whole");
    fs::create_directories(folder / "stopped");
    EXPECT_TRUE(interrupt(folder / "stopped", 4, SIGINT, /*group=*/true));
    EXPECT_FALSE(fs::exists(folder / "stopped" / "results"));
    complete(folder / "stopped");
    expect_equal_results(folder / "whole", folder / "stopped");
}

TEST(Resume, AfterAKillJustBeforeTheLastFile) {
    const TemporaryFolder folder;
    complete(folder / "run");
    const auto whole = files_below(folder / "run" / "runs");
    for (const auto& [name, content] : whole)
        if (fs::path(name).filename() == "DONE") fs::remove(folder / "run" / "runs" / name);
    complete(folder / "run");
    expect_equal(files_below(folder / "run" / "runs"), whole);
}

TEST(Resume, ADamagedCheckpointIsNamed) {
    const TemporaryFolder folder;
    fs::create_directories(folder / "run");
    ASSERT_TRUE(interrupt(folder / "run", 2, SIGKILL, true));
    std::string damaged;
    for (const auto& [name, content] : files_below(folder / "run" / "runs"))
        if (fs::path(name).filename() == "checkpoint.pt") damaged = name;
    ASSERT_FALSE(damaged.empty());
    write_file_atomically(folder / "run" / "runs" / damaged, "not a checkpoint");
    const auto outcome = run_program(reproduce({"--results", "results"}), folder / "run", kNoPython);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_NE(outcome.err.find(damaged), std::string::npos) << outcome.err;
    EXPECT_FALSE(fs::exists(folder / "run" / "results" / "report.html"));
    EXPECT_NE(read_file(folder / "run" / "results" / "results.csv").find("FAILED(exit code 2)"),
              std::string::npos);
}

/// The stages as `mtlprune plan` prints them.
nlohmann::json plan_in(const fs::path& folder) {
    const auto outcome = run_program(Words{"plan"} + tiny_experiment(), folder);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out).at("stages");
}

bool all_done(const nlohmann::json& needs, const nlohmann::json& plan) {
    return std::all_of(needs.begin(), needs.end(), [&](const auto& need) {
        return std::any_of(plan.begin(), plan.end(), [&](const auto& stage) {
            return stage.at("name") == need.at("name") && stage.at("seed") == need.at("seed") &&
                   stage.at("done").template get<bool>();
        });
    });
}

Words run_stage_words(const nlohmann::json& stage) {
    return Words{"run-stage"} + tiny_experiment() +
           Words{"--stage", stage.at("name"), "--seed", std::to_string(stage.at("seed").get<uint64_t>())};
}

TEST(Stages, OneByOneInARandomOrderAndKilledGiveTheRunnersResults) {
    const TemporaryFolder folder;
    complete(folder / "runner");
    fs::create_directories(folder / "alone");
    Random random(77);
    int kills = 0;
    nlohmann::json plan;
    while (true) {
        plan = plan_in(folder / "alone");
        std::vector<nlohmann::json> ready;
        for (const auto& stage : plan)
            if (!stage.at("done").get<bool>() && all_done(stage.at("needs"), plan)) ready.push_back(stage);
        if (ready.empty()) break;
        const auto& stage = ready[random.below(ready.size())];
        Program program(run_stage_words(stage), folder / "alone", {"MTLPRUNE_CHECKPOINT_SECONDS=0"});
        if (kills < 4 && random.below(2) == 0) {
            std::this_thread::sleep_for(std::chrono::milliseconds(200 + random.below(1500)));
            ::kill(program.pid(), SIGKILL);
            kills += program.wait().signal == SIGKILL;  // on a fast machine it may have ended before
            continue;
        }
        const auto outcome = program.wait();
        ASSERT_EQ(outcome.code, 0) << outcome.err;
    }
    for (const auto& stage : plan) EXPECT_TRUE(stage.at("done").get<bool>()) << stage;
    complete(folder / "alone");  // nothing is left to run: collects and reports
    expect_equal_results(folder / "runner", folder / "alone");
}

TEST(Stages, AStageWhoseNeedsAreNotDoneSaysWhichToRunFirst) {
    const TemporaryFolder folder;
    const auto outcome =
        run_program(Words{"run-stage"} + tiny_experiment() + Words{"--stage", "prune-taylor", "--seed", "0"},
                    folder.path());
    EXPECT_EQ(outcome.code, 2);
    EXPECT_NE(outcome.err.find("dense (seed 0)"), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find("run that stage first"), std::string::npos) << outcome.err;
    EXPECT_FALSE(fs::exists(folder / "runs"));
}

TEST(Stages, AnExperimentOfOtherStagesRunsWithoutAReport) {
    const TemporaryFolder folder;
    const nlohmann::json recipe = {{"kind", "train"}, {"iterations", 3}, {"batch_size", 4}};
    auto again = recipe, prune = recipe, retrain = recipe;
    prune.update({{"kind", "prune"},
                  {"from", "first"},
                  {"strategy", "taylor"},
                  {"schedule", {{"frequency", 2}}},
                  {"allocation", {{"budget", {{"count", 4}}}, {"min_channels", 2}}}});
    retrain.update({{"kind", "retrain"}, {"from", "smaller"}, {"event", 1}});
    auto prune_again = prune, retrain_again = retrain;
    prune_again["from"] = "scratch";
    retrain_again["from"] = "smaller-still";
    const nlohmann::json experiment = {{"name", "mine"},
                                       {"seeds", {5}},
                                       {"data",
                                        {{"kind", "synthetic_rooms"},
                                         {"train", 8},
                                         {"test", 2},
                                         {"classes", 13},
                                         {"height", 24},
                                         {"width", 24}}},
                                       {"model", "vgg16:channels=[6,8],pools=0/smallaspp:hidden=4"},
                                       {"stages",
                                        {{"first", recipe},
                                         {"first-again", again},
                                         {"smaller", prune},
                                         {"scratch", retrain},
                                         {"smaller-still", prune_again},
                                         {"scratch-again", retrain_again}}}};
    write_file_atomically(folder / "mine.json", experiment.dump());
    const auto outcome =
        run_program({"reproduce", "--scale", "mine.json", "--results", "results"}, folder.path());
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_FALSE(fs::exists(folder / "results" / "report.html"));
    const auto table = Table::read(folder / "results" / "results.csv");
    std::map<std::string, std::string> statuses;
    std::map<std::string, double> losses;
    for (size_t i = 0; i < table.rows().size(); ++i) {
        const auto& row = table.rows()[i];
        if (row.metric == "status") statuses[row.stage] = row.value;
        if (row.metric == "loss" && row.task == "depth") losses[row.stage] = table.number(i);
    }
    EXPECT_EQ(statuses.size(), 6u);
    for (const auto& [stage, status] : statuses) EXPECT_EQ(status, "PASSED") << stage;
    EXPECT_EQ(losses.at("first"), losses.at("first-again"));
    EXPECT_NE(losses.at("first"), losses.at("scratch"));
}

}  // namespace
}  // namespace mtlprune::resume_test
