#include "bench/kit/line_process.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>

#include "tests/bad_input.h"

namespace mtlprune {
namespace {

LineProcess shell_lines(const std::string& script) {
    return LineProcess("runtime", {"/bin/sh", "-c", script});
}

/// Ended and reaped: a zombie still has its number.
bool is_gone(pid_t pid) {
    return ::kill(pid, 0) != 0 && errno == ESRCH;
}

TEST(LineProcess, AnswersLineByLine) {
    auto child = shell_lines("while read a; do echo \"<$a>\"; done");
    EXPECT_EQ(child.ask("one"), "<one>");
    EXPECT_EQ(child.ask("two words"), "<two words>");
}

TEST(LineProcess, KeepsLinesThatCameTogether) {
    auto child = shell_lines("printf 'first\\nsecond\\n'; sleep 30");
    EXPECT_EQ(child.read_line(), "first");
    EXPECT_EQ(child.read_line(), "second");
}

TEST(LineProcess, LinesOfAnyLength) {
    auto child = shell_lines("read a; echo $a$a");
    EXPECT_EQ(child.ask(std::string(50000, 'x')).size(), 100000);
}

TEST(LineProcess, WhatItSaidBeforeItDiedIsInTheError) {
    auto child = shell_lines("read a; echo no such kernel >&2; exit 3");
    EXPECT_EQ(error_of([&] { child.ask("run"); }),
              "runtime: /bin/sh: expected an answer, found exit code 3: no such kernel");
    EXPECT_TRUE(is_gone(child.pid()));
    // Nobody reads any more, and nobody is killed for writing.
    EXPECT_EQ(error_of([&] { child.ask("run"); }),
              "runtime: /bin/sh: expected an answer, found exit code 3: no such kernel");
}

TEST(LineProcess, OnlyTheLastLinesOfManyAreShown) {
    auto child = shell_lines("i=0; while [ $i -lt 500 ]; do echo line $i >&2; i=$((i+1)); done; exit 1");
    const auto message = error_of([&] { child.read_line(); });
    EXPECT_LT(message.size(), 1100);
    EXPECT_TRUE(message.ends_with("line 498\nline 499")) << message;
}

TEST(LineProcess, AKilledOneIsTold) {
    auto child = shell_lines("kill -9 $$");
    EXPECT_EQ(error_of([&] { child.read_line(); }),
              "runtime: /bin/sh: expected an answer, found killed by signal 9");
}

TEST(LineProcess, ProgramThatDoesNotExist) {
    EXPECT_EQ(error_of([] { LineProcess("runtime", {"/no/such/program"}); }),
              "runtime: /no/such/program: cannot be started: No such file or directory");
}

TEST(LineProcess, GoesWithItsObject) {
    pid_t pid = -1;
    {
        auto child = shell_lines("echo here; sleep 60");
        child.read_line();
        pid = child.pid();
        EXPECT_EQ(::kill(pid, 0), 0);
    }
    EXPECT_TRUE(is_gone(pid));
}

}  // namespace
}  // namespace mtlprune
