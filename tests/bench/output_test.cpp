#include "bench/compare/comparison_output.h"

#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "bench/compare/history.h"
#include "tests/bad_input.h"
#include "tests/temporary_folder.h"

namespace mtlprune::bench::output_test {
namespace {

Comparison example() {
    Comparison comparison;
    const auto add = [&](const std::string& name, const Decision& decision) -> ComparisonRow& {
        auto& row = comparison.rows.emplace_back();
        row.name = name;
        row.base = 2e6;
        row.now = 2.5e6;
        row.decision = decision;
        return row;
    };
    add("a<b>|c", {9, 1.25, 1.2, 1.3, Verdict::worse});
    add("d, e", {9, 1.0, 0.99, 1.01, Verdict::same});
    add("f", {5, 1.0, 0.0, 1.5, Verdict::need_more_data});
    comparison.notes = {"only in base: old"};
    return comparison;
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

TEST(ComparisonText, IsATableWithASummary) {
    const auto text = comparison_text(example());
    EXPECT_TRUE(has(text, "a<b>|c")) << text;
    EXPECT_TRUE(has(text, "+25.0 %  +20.0 % to +30.0 %      9  different: worse\n")) << text;
    EXPECT_TRUE(has(text, "2 ms")) << text;
    EXPECT_TRUE(has(text, "? to +50.0 %")) << text;
    EXPECT_TRUE(has(text, "note: only in base: old\n")) << text;
    EXPECT_TRUE(has(text, "1 of 3 benchmarks worse; 1 same, 0 better, 1 need more data\n")) << text;
}

TEST(ComparisonMarkdown, EscapesWhatMarkdownWouldRead) {
    const auto text = comparison_markdown(example());
    EXPECT_TRUE(has(text, "### Benchmarks: worse\n")) << text;
    EXPECT_TRUE(
        has(text, "| a\\<b>\\|c | 2 ms | 2.5 ms | +25.0 % | +20.0 % to +30.0 % | 9 | different: worse |\n"))
        << text;
    EXPECT_TRUE(has(text, "* only in base: old\n")) << text;
}

TEST(ComparisonJunit, HasAFailureAndASkippedCase) {
    const auto text = comparison_junit(example());
    EXPECT_TRUE(has(text, R"(<testsuite name="benchmarks" tests="3" failures="1" skipped="1">)")) << text;
    EXPECT_TRUE(has(text,
                    "name=\"a&lt;b&gt;|c\">\n      <failure message=\"different: worse: +25.0 % (+20.0 % to "
                    "+30.0 %)\"/>\n    </testcase>"))
        << text;
    EXPECT_TRUE(has(text, R"(name="d, e"/>)")) << text;
    EXPECT_TRUE(has(text, R"(<skipped message="need more data)")) << text;
}

TEST(ComparisonJson, HoldsNumbersAndNullForNoBound) {
    const auto json = comparison_json(example());
    EXPECT_EQ(json["fails"], true);
    EXPECT_EQ(json["benchmarks"][0]["verdict"], "different: worse");
    EXPECT_EQ(json["benchmarks"][0]["low"], 1.2);
    EXPECT_EQ(json["benchmarks"][2]["low"], nullptr);
    EXPECT_EQ(json["rules"]["alarm_rate"], 0.02);
    EXPECT_NO_THROW(json.dump());
}

TEST(History, GrowsByRowsAndKeepsItsColumns) {
    const TemporaryFolder folder;
    const auto path = folder / "history.csv";
    auto comparison = example();
    append_history(path, comparison, "2026-11-30T12:00:00+00:00", "0123");
    append_history(path, comparison, "2026-11-30T13:00:00+00:00", "4567");
    EXPECT_EQ(read_file(path),
              "time,commit,a<b>|c,\"d, e\",f\n"
              "2026-11-30T12:00:00+00:00,0123,2.5e+06,2.5e+06,2.5e+06\n"
              "2026-11-30T13:00:00+00:00,4567,2.5e+06,2.5e+06,2.5e+06\n");
    comparison.rows.pop_back();
    const auto message = error_of([&] { append_history(path, comparison, "2026", "89ab"); });
    EXPECT_TRUE(has(message, "history.csv") && has(message, "start a new file")) << message;
    comparison.rows[0].now = 0;
    EXPECT_TRUE(has(error_of([&] { append_history(folder / "b.csv", comparison, "2026", "x"); }), "a<b>|c"));
    EXPECT_FALSE(std::filesystem::exists(folder / "b.csv"));
}

}  // namespace
}  // namespace mtlprune::bench::output_test
