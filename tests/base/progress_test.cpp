#include "base/progress.h"

#include <gtest/gtest.h>

#include <sstream>
#include <thread>

namespace mtlprune::progress_test {
namespace {

constexpr ProgressTimes kAtOnce = {0.0, 0.0, 0.0};

TEST(DurationText, PicksTheUnitThatFits) {
    EXPECT_EQ(duration_text(0.2), "0 s");
    EXPECT_EQ(duration_text(41.6), "42 s");
    EXPECT_EQ(duration_text(59.7), "1 min 0 s");
    EXPECT_EQ(duration_text(185), "3 min 5 s");
    EXPECT_EQ(duration_text(3600), "1 h 0 min");
    EXPECT_EQ(duration_text(7801), "2 h 10 min");
    EXPECT_EQ(duration_text(200000), "55 h 33 min");
}

TEST(Progress, WeighsPartsByCost) {
    std::ostringstream log;
    Progress progress({30.0, 10.0}, log, /*terminal=*/false, kAtOnce);
    progress.update({0.0, 1.0}, "running: dense seed 0");
    EXPECT_EQ(log.str(), " 25 %  estimating the time left  running: dense seed 0\n");
}

TEST(Progress, ExtrapolatesTheSpeedOfThisRunOnly) {
    std::ostringstream log;
    Progress progress({1.0}, log, false, kAtOnce);
    progress.update({0.9}, "a");  // done by an earlier run: no news about speed
    EXPECT_EQ(log.str(), " 90 %  estimating the time left  a\n");
    std::this_thread::sleep_for(std::chrono::milliseconds(150));
    log.str("");
    progress.update({0.90625},
                    "a");  // 1/160 in t >= 0.15 s, 15/160 to go: 15 t; with all 0.90625 counted 0.1 t
    int seconds = -1;
    ASSERT_EQ(std::sscanf(log.str().c_str(), " 91 %%  about %d s left  a", &seconds), 1) << log.str();
    EXPECT_GE(seconds, 2);
}

TEST(Progress, AResumedPartsFirstReportIsNotThisRunsWork) {
    std::ostringstream log;
    Progress progress({1.0}, log, false, kAtOnce);
    progress.update({0.0}, "a");  // the stage is still reading its checkpoint
    progress.update({0.9}, "a");
    log.str("");
    progress.update({0.9015}, "a");  // too little to extrapolate from
    EXPECT_EQ(log.str(), " 90 %  estimating the time left  a\n");
}

TEST(Progress, APartThatFinishesBetweenTwoUpdatesIsThisRunsWork) {
    std::ostringstream log;
    Progress progress({1.0, 1.0}, log, false, kAtOnce);
    progress.update({0.0, 0.0}, "a");
    log.str("");
    progress.update({1.0, 0.0}, "b");
    EXPECT_EQ(log.str(), " 50 %  about 0 s left  b\n");
}

TEST(Progress, ShortTasksSayNothingWithoutATerminal) {
    std::ostringstream log;
    Progress progress({1.0}, log, false);
    for (int i = 0; i < 10; ++i) progress.update({0.1 * i}, "a");
    EXPECT_EQ(log.str(), "");
}

TEST(Progress, PrintsLinesSeldomWithoutATerminal) {
    std::ostringstream log;
    Progress progress({1.0}, log, false, {0.0, 3600.0, 0.0});
    for (int i = 0; i < 10; ++i) progress.update({0.1 * i}, "a");
    EXPECT_EQ(log.str(), "  0 %  estimating the time left  a\n");
}

TEST(Progress, RewritesOneShortLineOnATerminal) {
    std::ostringstream log;
    Progress progress({1.0}, log, true);
    progress.update({0.5}, std::string(300, 'x'));
    const auto line = log.str();
    EXPECT_EQ(line.find("\r\033[K"), 0u);
    EXPECT_EQ(line.find('\n'), std::string::npos);
    EXPECT_LE(line.size(), 120u);
    log.str("");
    progress.message("done");
    EXPECT_EQ(log.str(), "\r\033[Kdone\n");
}

TEST(Progress, CountsFramesAndAlwaysPrintsTheLastCount) {
    std::ostringstream log;
    Progress quiet({1.0}, log, false);
    quiet.count(1, 4, "checked");
    quiet.count(4, 4, "checked");
    EXPECT_EQ(log.str(), "checked 4 of 4 frames\n");
    log.str("");
    Progress progress({1.0}, log, false, kAtOnce);
    progress.count(1, 4, "read");
    EXPECT_EQ(log.str(), " 25 %  about 0 s left  read 1 of 4 frames\n");
}

TEST(Progress, NoPartsAndNoCostAreNoDivisionByZero) {
    std::ostringstream log;
    Progress({}, log, false, kAtOnce).update({}, "");
    Progress({0.0}, log, false, kAtOnce).update({1.0}, "");
    EXPECT_EQ(log.str().find("nan"), std::string::npos) << log.str();
}

}  // namespace
}  // namespace mtlprune::progress_test
