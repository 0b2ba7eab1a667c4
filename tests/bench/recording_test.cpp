#include "bench/compare/recording.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/atomic_file.h"
#include "tests/bad_input.h"
#include "tests/bench/fake_programs.h"
#include "tests/temporary_folder.h"

namespace mtlprune::bench::recording_test {
namespace {

TEST(Recording, ContinuesWhereItWasKilled) {
    const TemporaryFolder folder;
    write_program(folder / "programs", 3);
    const RecordOptions options{folder / "programs", fake_suite(), folder / "rounds.jsonl", 0.05, 1};
    record_rounds(options);
    const auto first = read_recording(options.file);
    EXPECT_EQ(first.benchmarks, (std::vector<std::string>{"bench_fake: one", "bench_fake: two"}));
    ASSERT_FALSE(first.rounds.empty());
    ASSERT_EQ(first.rounds[0].size(), 4u);
    EXPECT_NEAR(first.rounds[0][3][0] / first.rounds[0][0][0], 1.05, 0.002);
    std::ofstream(options.file, std::ios::app) << R"({"round": 77, "values": [[1, )";  // killed while writing
    EXPECT_EQ(read_recording(options.file).rounds.size(), first.rounds.size());
    record_rounds(options);
    const auto both = read_recording(options.file);
    EXPECT_GT(both.rounds.size(), first.rounds.size());
    EXPECT_EQ(both.rounds[0], first.rounds[0]);
    auto other = options;
    other.suite.programs[0].repetitions = 9;
    EXPECT_NE(error_of([&] { record_rounds(other); }).find("the same benchmarks and suite"),
              std::string::npos);
}

TEST(Recording, DamagedLinesAreNamed) {
    const TemporaryFolder folder;
    const std::string header =
        R"({"variants": ["plain", "again", "planted 3 %", "planted 5 %"], "benchmarks": ["a"], "higher_is_better": [false]})";
    const std::pair<std::string, std::string> cases[] = {
        {"", "no complete line"},
        {"{}\n", ":1"},
        {header + "\n{\n", ":2"},
        {header + "\n{\"values\": [[1], [1], [1]]}\n", "four variants"},
        {header + "\n{\"values\": [[1], [1], [1], [1, 2]]}\n", "1 values"},
        {header + "\n{\"values\": [[1], [1], [1], [0]]}\n", "positive"}};
    for (const auto& [text, part] : cases) {
        write_bytes(folder / "r.jsonl", text);
        const auto message = error_of([&] { read_recording(folder / "r.jsonl"); });
        EXPECT_NE(message.find(part), std::string::npos) << message;
    }
}

}  // namespace
}  // namespace mtlprune::bench::recording_test
