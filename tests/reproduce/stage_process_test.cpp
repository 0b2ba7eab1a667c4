#include "reproduce/runner/stage_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <torch/types.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/atomic_file.h"
#include "base/error.h"
#include "tests/temporary_folder.h"

namespace mtlprune::stage_process_test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFileVariable = "MTLPRUNE_TEST_CHILD";

/// How this process looked when its static objects were made, before main() and gtest.
struct AtStart {
    AtStart() {
        for (const auto& task : fs::directory_iterator("/proc/self/task")) threads += !task.path().empty();
        for (int number = 0; number < 1024; ++number)
            if (::fcntl(number, F_GETFD) >= 0) descriptors.push_back(number);
    }
    int threads = 0;
    std::vector<int> descriptors;
};
const AtStart kAtStart;

/// Waits for the child as the runner does.
int wait_for(StageProcess& child) {
    while (true) {
        if (const auto status = child.ended()) return *status;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

/// Starts this test program again to run one of the DISABLED tests below, which play the stage.
std::vector<std::string> play(const std::string& part) {
    return {"--gtest_filter=StageProcessChild.DISABLED_" + part, "--gtest_also_run_disabled_tests"};
}

/// gtest keeps the words that it does not know.
std::string runner_word() {
    const auto words = ::testing::internal::GetArgvs();
    return words.at(words.size() - 1);
}

TEST(StageProcessChild, DISABLED_DescribesItself) {
    const nlohmann::json facts = {{"process", ::getpid()},
                                  {"parent", ::getppid()},
                                  {"threads", kAtStart.threads},
                                  {"descriptors", kAtStart.descriptors}};
    const auto report = report_to_runner(runner_word());
    for (const double fraction : {0.25, 0.5}) report(fraction, fmt::format("loss {}", fraction));
    write_file_atomically(std::getenv(kFileVariable), facts.dump());
}

TEST(StageProcessChild, DISABLED_ReportsForEver) {
    const auto report = report_to_runner(runner_word());
    write_file_atomically(std::getenv(kFileVariable), std::to_string(::getpid()));
    for (int i = 0; i < 1'000'000; ++i)
        report(0.5, "busy");  // far more than the pipe holds, and nobody reads
    std::this_thread::sleep_for(std::chrono::seconds(60));
}

/// A runner that is killed.
TEST(StageProcessChild, DISABLED_StartsAChildAndHangs) {
    const StageProcess child(play("ReportsForEver"));
    std::this_thread::sleep_for(std::chrono::seconds(60));
}

TEST(StageProcess, IsAFreshImageThatInheritsOnlyThePipe) {
    const TemporaryFolder folder;
    ::setenv(kFileVariable, (folder / "facts.json").c_str(), 1);
    // This process is as unfit for fork() as can be: LibTorch has worked in it, other threads and files are
    // open.
    EXPECT_EQ(torch::ones({64, 64}).matmul(torch::ones({64, 64})).sum().item<double>(), 64.0 * 64 * 64);
    const int open_file = ::open("/dev/null", O_RDONLY);  // not closed by exec
    std::atomic<bool> stop = false;
    std::thread other([&] {
        while (!stop) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    });
    StageProcess child(play("DescribesItself"));
    EXPECT_EQ(wait_for(child), 0);
    stop = true;
    other.join();
    ::close(open_file);
    const auto facts = nlohmann::json::parse(read_file(folder / "facts.json"));
    EXPECT_EQ(facts.at("process"), child.pid());
    EXPECT_NE(facts.at("process"), ::getpid());
    EXPECT_EQ(facts.at("parent"), ::getpid());
    EXPECT_EQ(facts.at("threads"), 1);
    EXPECT_EQ(facts.at("descriptors"), (std::vector<int>{0, 1, 2, 3}));
    EXPECT_EQ(child.report().fraction, 0.5);
    EXPECT_EQ(child.report().status, "loss 0.5");
}

pid_t process_in(const fs::path& file) {
    for (int i = 0; i < 1000; ++i) {
        if (fs::exists(file)) return std::stoi(read_file(file));
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return -1;
}

bool ends_soon(pid_t process) {
    for (int i = 0; i < 500; ++i) {
        const fs::path stat = "/proc/" + std::to_string(process) + "/stat";
        std::error_code ignored;
        if (!fs::exists(stat, ignored)) return true;
        if (read_file(stat).find(") Z") != std::string::npos) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

TEST(StageProcess, NeverWaitsForAReaderAndEndsWithItsObject) {
    const TemporaryFolder folder;
    ::setenv(kFileVariable, (folder / "process").c_str(), 1);
    pid_t process = -1;
    {
        StageProcess child(play("ReportsForEver"));
        process = process_in(folder / "process");
        EXPECT_EQ(process, child.pid());
        EXPECT_FALSE(child.ended().has_value());
    }
    EXPECT_TRUE(ends_soon(process));
}

TEST(StageProcess, DiesWithItsRunner) {
    const TemporaryFolder folder;
    ::setenv(kFileVariable, (folder / "process").c_str(), 1);
    StageProcess runner(play("StartsAChildAndHangs"));
    const pid_t grandchild = process_in(folder / "process");
    ASSERT_GT(grandchild, 0);
    ::kill(runner.pid(), SIGKILL);
    EXPECT_TRUE(WIFSIGNALED(wait_for(runner)));
    EXPECT_TRUE(ends_soon(grandchild)) << "a stage outlived its runner";
}

TEST(StageProcess, ARunnerThatIsNoneIsRefused) {
    for (const char* word : {"", "x", "12", "12:", ":3", "1x:3"})
        EXPECT_THROW(report_to_runner(word), Error) << word;
}

}  // namespace
}  // namespace mtlprune::stage_process_test
