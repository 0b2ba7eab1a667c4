#include "bench/compare/gate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "bench/compare/interleaved_rounds.h"
#include "tests/bad_input.h"
#include "tests/bench/fake_programs.h"
#include "tests/temporary_folder.h"

namespace mtlprune::bench::gate_test {
namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// As few rounds as two benchmarks allow.
GateOptions small_gate(const TemporaryFolder& folder) {
    GateOptions options;
    options.base = folder / "base";
    options.now = folder / "new";
    options.suite = fake_suite();
    options.plan.first = 7;
    options.plan.step = 1;
    options.plan.most = 8;
    return options;
}

TEST(Gate, PassesEqualProgramsAndSaysWhatItWouldHaveCaught) {
    const TemporaryFolder folder;
    write_program(folder / "base", 3);
    write_program(folder / "new", 3);
    const auto report = measure_gate(small_gate(folder));
    EXPECT_FALSE(report.comparison.fails());
    ASSERT_EQ(report.comparison.rows.size(), 2u);
    EXPECT_EQ(report.comparison.rows[0].name, "bench_fake: one");
    EXPECT_EQ(report.comparison.rows[0].decision->verdict, Verdict::same);
    EXPECT_EQ(report.comparison.rows[0].decision->pairs, 7);
    const auto control = report.control_text();
    EXPECT_TRUE(has(control, "control: base against itself: 0 of 2 different (")) << control;
    EXPECT_TRUE(has(control, "planted slow-down of 5 %: 2 of 2 found (+")) << control;
    ASSERT_EQ(report.planted.size(), 2u);
    EXPECT_NEAR(report.planted[0].ratio, 1.05, 0.002);
    EXPECT_NEAR(report.control[0].ratio, 1, 0.002);
}

TEST(Gate, FailsWhatIsSlowerInFreshRoundsToo) {
    const TemporaryFolder folder;
    write_program(folder / "base", 3);
    write_program(folder / "new", 3.09);
    auto options = small_gate(folder);
    options.control = false;
    const auto report = measure_gate(options);
    EXPECT_TRUE(report.comparison.fails());
    EXPECT_EQ(report.comparison.rows[1].remark, "confirmed in fresh rounds");
    EXPECT_NEAR(report.comparison.rows[1].decision->ratio, 1.03, 0.002);
    EXPECT_EQ(report.control_text(), "");
}

TEST(Gate, NamesTheProgramThatFails) {
    const TemporaryFolder folder;
    write_program(folder / "base", 3);
    write_program(folder / "new", 3, "echo out of luck >&2; exit 4");
    const auto failed = error_of([&] { measure_gate(small_gate(folder)); });
    EXPECT_TRUE(has(failed, "new/bench_fake") && has(failed, "exit code 4") && has(failed, "out of luck"))
        << failed;
    std::filesystem::remove_all(folder / "new");
    EXPECT_TRUE(has(error_of([&] { measure_gate(small_gate(folder)); }), "new/bench_fake"));
    write_program(folder / "new", 3, "MTLPRUNE_BENCH_PLANT=0");
    EXPECT_TRUE(has(error_of([&] { measure_gate(small_gate(folder)); }), "planted"));
    write_program(folder / "new", 3);
    auto options = small_gate(folder);
    options.suite.programs[0].metric.name = "miou";
    EXPECT_TRUE(has(error_of([&] { measure_gate(options); }), "metric 'miou'"));
}

TEST(InterleavedRounds, RunEveryVariantOncePerRoundInAnOrderThatIsDrawn) {
    const TemporaryFolder folder;
    const auto log = folder / "log";
    const auto write_name = "case \"$*\" in *list_tests*) ;; *) echo \"$0 $MTLPRUNE_BENCH_PLANT\" >> " +
                            log.string() + " ;; esac";
    write_program(folder / "base", 3, write_name);
    write_program(folder / "new", 3, write_name);
    const std::vector<Variant> variants = {
        {"base", folder / "base"}, {"new", folder / "new"}, {"planted", folder / "new", 0.05}};
    InterleavedRounds rounds(fake_suite(), variants, 1);
    std::set<std::vector<std::string>> orders;
    for (int i = 0; i < 8; ++i) {
        std::filesystem::remove(log);
        const auto values = rounds.round({0, 1}, {0, 1, 2});
        EXPECT_NEAR(values[2][1] / values[1][1], 1.05, 0.002);
        std::ifstream lines(log);
        std::vector<std::string> order;
        for (std::string line; std::getline(lines, line);) order.push_back(line);
        orders.insert(order);
        std::sort(order.begin(), order.end());
        EXPECT_EQ(order, (std::vector<std::string>{(folder / "base/bench_fake").string() + " 0",
                                                   (folder / "new/bench_fake").string() + " 0",
                                                   (folder / "new/bench_fake").string() + " 0.05"}));
    }
    EXPECT_GT(orders.size(), 2u);
}

TEST(GateSuite, IsReadStrictly) {
    const auto suite = read_suite(MTLPRUNE_SOURCE_DIR "/bench/gate_suite.json");
    EXPECT_FALSE(suite.programs.empty());
    EXPECT_EQ(only_programs(suite, {"bench_coupling"}).programs.size(), 1u);
    EXPECT_TRUE(has(error_of([&] { only_programs(suite, {"bench_copling"}); }), "'bench_coupling'"));
    const TemporaryFolder folder;
    const std::pair<const char*, const char*> cases[] = {
        {R"({"programs": []})", "at least one"},
        {R"({"programs": [{"filter": "x"}]})", "'program'"},
        {R"({"programs": [{"program": "a", "filter": "x", "min_tim": 1}]})", "'min_time'"},
        {R"({"programs": [{"program": "a", "filter": "x", "min_time": -1}]})", "programs[0]: min_time"},
        {R"({"program": []})", "'programs'"}};
    for (const auto& [text, part] : cases) {
        write_bytes(folder / "suite.json", text);
        const auto message = error_of([&] { read_suite(folder / "suite.json"); });
        EXPECT_TRUE(has(message, part)) << message;
    }
}

}  // namespace
}  // namespace mtlprune::bench::gate_test
