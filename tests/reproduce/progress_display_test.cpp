#include "reproduce/progress_display.h"

#include <gtest/gtest.h>

#include <sstream>
#include <thread>

namespace mtlprune::progress_display_test {
namespace {

TEST(DurationText, PicksTheUnitThatFits) {
    EXPECT_EQ(duration_text(0.2), "0 s");
    EXPECT_EQ(duration_text(41.6), "42 s");
    EXPECT_EQ(duration_text(59.7), "1 min 0 s");
    EXPECT_EQ(duration_text(185), "3 min 5 s");
    EXPECT_EQ(duration_text(3600), "1 h 0 min");
    EXPECT_EQ(duration_text(7801), "2 h 10 min");
    EXPECT_EQ(duration_text(200000), "55 h 33 min");
}

TEST(ProgressDisplay, WeighsJobsByCost) {
    std::ostringstream log;
    ProgressDisplay display({30.0, 10.0}, log, /*terminal=*/false, 0.0);
    display.update({0.0, 1.0}, "dense seed 0");
    EXPECT_EQ(log.str(), " 25 %  estimating the time left  running: dense seed 0\n");
}

TEST(ProgressDisplay, ExtrapolatesTheSpeedOfThisRunOnly) {
    std::ostringstream log;
    ProgressDisplay display({1.0}, log, false, 0.0);
    display.update({0.9}, "a");  // done by an earlier run: no news about speed
    EXPECT_EQ(log.str(), " 90 %  estimating the time left  running: a\n");
    std::this_thread::sleep_for(std::chrono::milliseconds(150));
    log.str("");
    display.update({0.90625},
                   "a");  // 1/160 in t >= 0.15 s, 15/160 to go: 15 t; with all 0.90625 counted 0.1 t
    int seconds = -1;
    ASSERT_EQ(std::sscanf(log.str().c_str(), " 91 %%  about %d s left  running: a", &seconds), 1)
        << log.str();
    EXPECT_GE(seconds, 2);
}

TEST(ProgressDisplay, AResumedJobsFirstReportIsNotThisRunsWork) {
    std::ostringstream log;
    ProgressDisplay display({1.0}, log, false, 0.0);
    display.update({0.0}, "a");  // the job is still reading its checkpoint
    display.update({0.9}, "a");
    log.str("");
    display.update({0.9015}, "a");  // too little to extrapolate from
    EXPECT_EQ(log.str(), " 90 %  estimating the time left  running: a\n");
}

TEST(ProgressDisplay, AJobThatFinishesBetweenTwoUpdatesIsThisRunsWork) {
    std::ostringstream log;
    ProgressDisplay display({1.0, 1.0}, log, false, 0.0);
    display.update({0.0, 0.0}, "a");
    log.str("");
    display.update({1.0, 0.0}, "b");
    EXPECT_EQ(log.str(), " 50 %  about 0 s left  running: b\n");
}

TEST(ProgressDisplay, PrintsLinesSeldomWithoutATerminal) {
    std::ostringstream log;
    ProgressDisplay display({1.0}, log, false, 3600.0);
    for (int i = 0; i < 10; ++i) display.update({0.1 * i}, "a");
    EXPECT_EQ(log.str(), "  0 %  estimating the time left  running: a\n");
}

TEST(ProgressDisplay, RewritesOneShortLineOnATerminal) {
    std::ostringstream log;
    ProgressDisplay display({1.0}, log, true);
    display.update({0.5}, std::string(300, 'x'));
    const auto line = log.str();
    EXPECT_EQ(line.find("\r\033[K"), 0u);
    EXPECT_EQ(line.find('\n'), std::string::npos);
    EXPECT_LE(line.size(), 120u);
    log.str("");
    display.message("done");
    EXPECT_EQ(log.str(), "\r\033[Kdone\n");
}

TEST(ProgressDisplay, NoJobsAndNoCostAreNoDivisionByZero) {
    std::ostringstream log;
    ProgressDisplay({}, log, false, 0.0).update({}, "");
    ProgressDisplay({0.0}, log, false, 0.0).update({1.0}, "");
    EXPECT_EQ(log.str().find("nan"), std::string::npos) << log.str();
}

}  // namespace
}  // namespace mtlprune::progress_display_test
