#include "bench/compare/child_program.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "base/atomic_file.h"
#include "tests/bad_input.h"
#include "tests/temporary_folder.h"

namespace mtlprune::bench::child_program_test {
namespace {

ProgramCall shell(const std::string& script) {
    return {"/bin/sh", {"-c", script}, {}};
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

bool is_alive(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string number, name, state;
    return (file >> number >> name >> state) && state != "Z" && state != "X";
}

TEST(ChildProgram, GivesItsOutputAndGetsItsVariables) {
    auto call = shell("echo $COLOUR; echo $HOME; echo noise >&2");
    call.environment = {{"COLOUR", "green"}, {"HOME", "/somewhere"}};
    EXPECT_EQ(run_to_end(call), "green\n/somewhere\n");
}

TEST(ChildProgram, FailuresNameProgramReasonAndTheEndOfStandardError) {
    const auto code = error_of([] { run_to_end(shell("echo first >&2; echo no weights >&2; exit 3")); });
    EXPECT_TRUE(has(code, "/bin/sh") && has(code, "exit code 3") && has(code, "no weights")) << code;
    const auto silent = error_of([] { run_to_end(shell("kill -SEGV $$")); });
    EXPECT_TRUE(has(silent, "signal 11") && has(silent, "nothing on standard error")) << silent;
    const auto missing = error_of([] { run_to_end({"/nonexistent/program", {}, {}}); });
    EXPECT_TRUE(has(missing, "/nonexistent/program") && has(missing, "No such file")) << missing;
    const auto long_text =
        error_of([] { run_to_end(shell("yes x | head -c 100000 >&2; echo end >&2; exit 1")); });
    EXPECT_LT(long_text.size(), 900u);
    EXPECT_TRUE(has(long_text, "end")) << long_text;
}

TEST(ChildProgram, IsKilledWhenItsTimeIsUp) {
    const TemporaryFolder folder;
    auto call = shell("echo $$ > " + (folder / "pid").string() + "; exec sleep 100");
    call.limit_seconds = 0.2;
    const auto message = error_of([&] { run_to_end(call); });
    EXPECT_TRUE(has(message, "still running after 0.2 s")) << message;
    EXPECT_FALSE(is_alive(std::stoi(read_file(folder / "pid"))));
}

TEST(ChildProgram, IsKilledWithWhoeverWaitsForIt) {
    const TemporaryFolder folder;
    const auto pid_file = folder / "pid";
    const pid_t waiting = ::fork();
    if (waiting == 0) {
        run_to_end(shell("echo $$ > " + pid_file.string() + ".new; mv " + pid_file.string() + ".new " +
                         pid_file.string() + "; exec sleep 100"));
        ::_exit(0);
    }
    while (!std::filesystem::exists(pid_file)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    const pid_t child = std::stoi(read_file(pid_file));
    EXPECT_TRUE(is_alive(child));
    ::kill(waiting, SIGKILL);
    ::waitpid(waiting, nullptr, 0);
    for (int i = 0; i < 400 && is_alive(child); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_FALSE(is_alive(child));
}

}  // namespace
}  // namespace mtlprune::bench::child_program_test
