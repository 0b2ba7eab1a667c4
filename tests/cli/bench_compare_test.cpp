// Exit codes and files of `mtlprune bench-compare` and `mtlprune bench-gate`.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/bad_input.h"
#include "tests/bench/fake_programs.h"
#include "tests/cli/program.h"

namespace mtlprune::bench_compare_test {
namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

const std::vector<double> kSeven = {10, 11, 10, 12, 10, 11, 10};

void write_results(const std::filesystem::path& path, double factor) {
    auto times = kSeven;
    for (double& time : times) time *= factor;
    write_bytes(path, bench::results({bench::entries("a", times, R"("accuracy": 0.5)")}));
}

TEST(BenchCompare, ExitsWithOneOnlyWhenSomethingIsWorse) {
    const TemporaryFolder folder;
    write_results(folder / "base.json", 1);
    write_results(folder / "slow.json", 1.1);
    write_results(folder / "fast.json", 0.9);
    const auto same = run_program({"bench-compare", "base.json", "base.json"}, folder.path());
    EXPECT_EQ(same.code, 0) << same.err;
    EXPECT_TRUE(has(same.out, "0 of 1 benchmarks worse; 1 same")) << same.out;
    EXPECT_EQ(run_program({"bench-compare", "base.json", "fast.json"}, folder.path()).code, 0);
    const auto slow =
        run_program({"bench-compare", "base.json", "slow.json", "--markdown", "t.md", "--junit", "t.xml",
                     "--json", "t.json", "--history", "t.csv", "--commit", "c1", "--exact", "accuracy"},
                    folder.path());
    EXPECT_EQ(slow.code, 1) << slow.err;
    EXPECT_TRUE(has(slow.out, "different: worse")) << slow.out;
    EXPECT_TRUE(has(read_file(folder / "t.md"), "| a |"));
    EXPECT_TRUE(has(read_file(folder / "t.xml"), "<failure"));
    EXPECT_EQ(nlohmann::json::parse(read_file(folder / "t.json"))["fails"], true);
    EXPECT_TRUE(has(read_file(folder / "t.csv"), ",c1,1.1e+07\n")) << read_file(folder / "t.csv");
    EXPECT_EQ(
        run_program({"bench-compare", "base.json", "slow.json", "--margin", "0.2", "--tolerance", "0.15"},
                    folder.path())
            .code,
        0);
    EXPECT_EQ(run_program({"bench-compare", "--base", "base.json,base.json", "--new", "slow.json", "--new",
                           "slow.json"},
                          folder.path())
                  .code,
              1);
}

TEST(BenchCompare, BadInputIsOneLine) {
    const TemporaryFolder folder;
    write_results(folder / "base.json", 1);
    write_bytes(folder / "text.json", "no JSON");
    const std::pair<Words, std::string> cases[] = {
        {{"base.json"}, "new"},
        {{"base.json", "none.json"}, "none.json"},
        {{"base.json", "text.json"}, "text.json"},
        {{"base.json", "base.json", "--metric", "real"}, "'real_time'"},
        {{"base.json", "base.json", "--within", "accuracy"}, "NAME=REL"},
        {{"base.json", "base.json", "--exact", "acuracy"}, "acuracy"},
        {{"base.json", "base.json", "--margin", "0.001"}, "tolerance < margin"},
        {{"base.json", "base.json", "--markdwn", "x"}, "'--markdown'"}};
    for (const auto& [arguments, part] : cases) {
        const auto outcome = run_program(Words{"bench-compare"} + arguments, folder.path());
        EXPECT_EQ(outcome.code, 2) << outcome.text();
        EXPECT_TRUE(has(outcome.err, part)) << outcome.err;
        EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    }
}

TEST(BenchGate, JudgesTwoFoldersOfPrograms) {
    const TemporaryFolder folder;
    bench::write_program(folder / "base", 3);
    bench::write_program(folder / "new", 3.3);
    write_bytes(folder / "suite.json", R"({"programs": [{"program": "bench_fake", "filter": "."}]})");
    const Words small = {"bench-gate", "--suite", "suite.json", "--rounds", "7", "--most", "7"};
    const auto slow =
        run_program(small + Words{"--base", "base", "--new", "new", "--markdown", "t.md"}, folder.path());
    EXPECT_EQ(slow.code, 1) << slow.err;
    EXPECT_TRUE(has(slow.out, "confirmed in fresh rounds") &&
                has(slow.out, "planted slow-down of 5 %: 2 of 2 found"))
        << slow.out;
    EXPECT_TRUE(has(read_file(folder / "t.md"), "planted slow-down of 5 %"));
    EXPECT_EQ(
        run_program(small + Words{"--base", "base", "--new", "base", "--no-control"}, folder.path()).code, 0);
    const auto record = Words{"bench-gate", "--suite", "suite.json", "--new", "base", "--record", "r.jsonl"};
    EXPECT_EQ(run_program(record + Words{"--minutes", "0.01"}, folder.path()).code, 0);
    const auto cut = run_program(
        {"bench-gate", "--cut", "r.jsonl", "--pieces", "3", "--rounds", "7", "--most", "7"}, folder.path());
    EXPECT_TRUE(cut.code == 0 ? has(cut.out, "false alarms") : has(cut.err, "at least 14")) << cut.text();
    const auto missing = run_program(small + Words{"--new", "new"}, folder.path());
    EXPECT_EQ(missing.code, 2);
    EXPECT_TRUE(has(missing.err, "--base")) << missing.err;
}

}  // namespace
}  // namespace mtlprune::bench_compare_test
