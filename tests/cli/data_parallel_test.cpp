// Stages that several processes run together.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/table.h"
#include "tests/cli/program.h"
#include "tests/free_port.h"
#include "training/checkpoint.h"
#include "training/data_parallel/data_parallel.h"

namespace mtlprune::cli_data_parallel_test {
namespace {

namespace fs = std::filesystem;

Words torchrun_environment(int64_t rank, int64_t ranks, int64_t port) {
    return {"RANK=" + std::to_string(rank), "WORLD_SIZE=" + std::to_string(ranks),
            "LOCAL_RANK=" + std::to_string(rank), "MASTER_ADDR=127.0.0.1",
            "MASTER_PORT=" + std::to_string(port)};
}

Words slurm_environment(int64_t rank, int64_t ranks, int64_t port) {
    return {"SLURM_PROCID=" + std::to_string(rank),
            "SLURM_NTASKS=" + std::to_string(ranks),
            "SLURM_LOCALID=" + std::to_string(rank),
            "SLURM_STEP_ID=0",
            "SLURM_JOB_ID=4711",
            "SLURM_NODELIST=localhost",
            "MASTER_PORT=" + std::to_string(port)};
}

/// Every pixel is valid, as means over different numbers of pixels have another mean. 13 frames leave a rest
/// of one, which one of two ranks has.
Words experiment(int64_t iterations = 8) {
    auto words = tiny_experiment();
    const auto steps = std::to_string(iterations);
    for (const auto& key :
         {std::string("model=vgg16:channels=[6,6,8,8],pools=1/smallaspp:hidden=4,dropout=0.3"),
          std::string("data.train=13"), std::string("data.augmentation=none"), "dense.iterations=" + steps,
          std::string("prune.iterations=12")}) {
        words.emplace_back("--set");
        words.push_back(key);
    }
    return words;
}

Words stage(const std::string& name, const Words& options) {
    return Words{"run-stage"} + options + Words{"--stage", name, "--seed", "0"};
}

/// Of any stage with seed 0.
bool has_checkpoint(const fs::path& runs) {
    std::error_code ignored;
    for (fs::directory_iterator job(runs, ignored), end; job != end; job.increment(ignored))
        if (fs::exists(job->path() / "seed_0" / "checkpoint.pt", ignored)) return true;
    return false;
}

/// All ranks of one stage, each with its output in a folder of its own; the stage's runs in `folder`/runs.
std::vector<Outcome> run_ranks(const fs::path& folder, const Words& words, int64_t ranks,
                               Words (*environment)(int64_t, int64_t, int64_t) = torchrun_environment,
                               const Words& more = {}, bool kill_one = false) {
    const int64_t port = free_port();
    std::vector<std::unique_ptr<Program>> programs;
    for (int64_t rank = 0; rank < ranks; ++rank) {
        const auto own = folder / ("rank" + std::to_string(rank));
        fs::create_directories(own);
        programs.push_back(std::make_unique<Program>(words + Words{"--runs", (folder / "runs").string()}, own,
                                                     environment(rank, ranks, port) + more));
    }
    while (kill_one && programs[0]->running() && !has_checkpoint(folder / "runs"))
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (kill_one) ::kill(programs[1]->pid(), SIGKILL);
    std::vector<Outcome> outcomes;
    for (const auto& program : programs) outcomes.push_back(program->wait());
    return outcomes;
}

void expect_success(const std::vector<Outcome>& outcomes) {
    for (const auto& outcome : outcomes) EXPECT_EQ(outcome.code, 0) << outcome.text();
}

fs::path stage_folder(const fs::path& folder, const std::string& start) {
    for (const auto& [name, content] : files_below(folder / "runs"))
        if (name.starts_with(start) && fs::path(name).filename() == "DONE")
            return (folder / "runs" / name).parent_path();
    ADD_FAILURE() << "no finished stage " << start << " in " << folder;
    return folder;
}

/// The stage's network and numbers are those of the other's to what rounding makes of a few steps.
void expect_close_results(const fs::path& found, const fs::path& expected) {
    const auto network = load_tensors(found / "checkpoint.pt");
    const auto other = load_tensors(expected / "checkpoint.pt");
    ASSERT_EQ(network.size(), other.size());
    for (const auto& [name, tensor] : other) {
        if (name == "plan") {
            EXPECT_EQ(tensor_text(network.at(name)), tensor_text(tensor));
            continue;
        }
        EXPECT_TRUE(torch::allclose(network.at(name), tensor, 1e-3, 1e-5)) << name;
    }
    const auto table = Table::read(found / "results.csv"),
               other_table = Table::read(expected / "results.csv");
    ASSERT_EQ(table.rows().size(), other_table.rows().size());
    for (size_t i = 0; i < table.rows().size(); ++i) {
        const auto &row = table.rows()[i], &other_row = other_table.rows()[i];
        EXPECT_EQ(row.metric, other_row.metric);
        EXPECT_EQ(row.step, other_row.step);
        if (row.metric != "loss") continue;
        EXPECT_NEAR(table.number(i), other_table.number(i), 1e-5 * std::abs(other_table.number(i)));
    }
}

class RankProcesses : public testing::Test {
  protected:
    void SetUp() override {
        if (!DataParallel::available()) GTEST_SKIP() << "built without LibTorch's c10d";
    }
    const TemporaryFolder folder_;
};

TEST_F(RankProcesses, TrainAndPruneLikeOneProcess) {
    fs::create_directories(folder_ / "one");
    for (const char* name : {"dense", "prune-taylor"}) {
        const auto alone = run_program(stage(name, experiment()), folder_ / "one");
        ASSERT_EQ(alone.code, 0) << alone.err;
        expect_success(run_ranks(folder_ / "two", stage(name, experiment()), 2));
        const auto one = stage_folder(folder_ / "one", name), two = stage_folder(folder_ / "two", name);
        expect_close_results(two, one);
        const auto names = [](const fs::path& path) {
            std::vector<std::string> names;
            for (const auto& [file, content] : files_below(path)) names.push_back(file);
            return names;
        };
        EXPECT_EQ(names(two), names(one));
        EXPECT_EQ(two.parent_path().filename(), one.parent_path().filename()) << "identity";
        EXPECT_EQ(nlohmann::json::parse(read_file(two / "env.json")).at("ranks"), 2);
    }
}

TEST_F(RankProcesses, StartedBySlurmAndKilledGoOnBitForBit) {
    fs::create_directories(folder_ / "killed");
    const auto words = stage("dense", experiment(40));
    expect_success(run_ranks(folder_ / "whole", words, 2, slurm_environment));
    const auto outcomes = run_ranks(folder_ / "killed", words, 2, slurm_environment,
                                    {"MTLPRUNE_CHECKPOINT_SECONDS=0"}, /*kill_one=*/true);
    ASSERT_EQ(outcomes[1].signal, SIGKILL);
    EXPECT_EQ(outcomes[0].code, 2) << outcomes[0].text();
    EXPECT_NE(outcomes[0].err.find("expected an answer of every rank"), std::string::npos) << outcomes[0].err;
    expect_success(run_ranks(folder_ / "killed", words, 2, slurm_environment));
    EXPECT_EQ(files_below(folder_ / "killed" / "runs"), files_below(folder_ / "whole" / "runs"));
    // Done: nothing is written again.
    expect_success(run_ranks(folder_ / "killed", words, 2));
    EXPECT_EQ(files_below(folder_ / "killed" / "runs"), files_below(folder_ / "whole" / "runs"));
}

TEST_F(RankProcesses, TakeEqualPartsOfAMiniBatch) {
    const auto outcomes = run_ranks(folder_.path(), stage("dense", experiment()), 3);
    for (const auto& outcome : outcomes) {
        EXPECT_EQ(outcome.code, 2);
        EXPECT_NE(outcome.err.find("batch_size: expected a multiple of 3, the number of processes, found 4"),
                  std::string::npos)
            << outcome.err;
    }
}

TEST_F(RankProcesses, OfDifferentStagesAreAnError) {
    const int64_t port = free_port();
    std::vector<std::unique_ptr<Program>> programs;
    for (int64_t rank = 0; rank < 2; ++rank) {
        const auto own = folder_ / std::to_string(rank);
        fs::create_directories(own);
        auto words = stage("dense", experiment());
        words.back() = std::to_string(rank);
        words.insert(std::find(words.begin(), words.end(), "--seeds") + 1, "1");
        programs.push_back(std::make_unique<Program>(words, own, slurm_environment(rank, 2, port)));
    }
    const auto first = programs[0]->wait(), second = programs[1]->wait();
    EXPECT_EQ(second.code, 2) << second.text();
    EXPECT_NE(second.err.find("the number of the stage and seed of the first rank"), std::string::npos)
        << second.err;
    EXPECT_EQ(first.code, 2) << first.text();
}

TEST(RankEnvironment, IsRefusedWhereOneProcessWorks) {
    const TemporaryFolder folder;
    const auto outcome =
        run_program(Words{"reproduce"} + tiny_experiment(), folder.path(), torchrun_environment(1, 2, 29500));
    EXPECT_EQ(outcome.code, 2) << outcome.text();
    EXPECT_NE(
        outcome.err.find("expected one process (mtlprune run-stage runs a stage by several), found rank 1"),
        std::string::npos)
        << outcome.err;
}

TEST(RankEnvironment, ABuildWithoutC10dSaysWhatIsNeeded) {
    if (DataParallel::available()) GTEST_SKIP() << "built with LibTorch's c10d";
    const TemporaryFolder folder;
    const auto outcomes = run_ranks(folder.path(), stage("dense", experiment()), 2);
    for (const auto& outcome : outcomes) {
        EXPECT_EQ(outcome.code, 2);
        EXPECT_NE(outcome.err.find("expected a LibTorch with c10d"), std::string::npos) << outcome.err;
        EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    }
}

}  // namespace
}  // namespace mtlprune::cli_data_parallel_test
