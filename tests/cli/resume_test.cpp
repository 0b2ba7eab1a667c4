// Equal files whatever happens: run twice, killed, interrupted, resumed.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <set>
#include <tuple>

#include "base/random.h"
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
    EXPECT_GT(files.size(), 40u);  // 7 jobs
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
    const auto outcome = run_program(reproduce(), folder / "run", kNoPython);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_NE(outcome.err.find(damaged), std::string::npos) << outcome.err;
    EXPECT_FALSE(fs::exists(folder / "run" / "results" / "report.html"));
    EXPECT_NE(read_file(folder / "run" / "results" / "results.csv").find("FAILED(exit code 2)"),
              std::string::npos);
}

}  // namespace
}  // namespace mtlprune::resume_test
