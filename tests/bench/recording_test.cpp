#include "bench/compare/recording.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "base/atomic_file.h"
#include "base/random.h"
#include "tests/bad_input.h"
#include "tests/bench/fake_programs.h"
#include "tests/temporary_folder.h"

namespace mtlprune::bench::recording_test {
namespace {

/// Rounds with 1 % of noise in which planted variants are as much slower as they say.
Recording made_recording(size_t rounds) {
    Recording recording{{"one", "two"}, {false, false}, {}};
    Random random(5);
    for (size_t i = 0; i < rounds; ++i) {
        auto& round = recording.rounds.emplace_back();
        for (const double factor : {1.0, 1.0, 1.03, 1.05})
            round.push_back(
                {factor * std::exp(0.01 * random.normal()), factor * std::exp(0.01 * random.normal())});
    }
    return recording;
}

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

TEST(CutGates, FindWhatWasPlantedAndNothingElse) {
    const auto rates = cut_gates(made_recording(400), {}, 50, 3);
    EXPECT_EQ(rates.alarms.count, 0);
    EXPECT_EQ(rates.disjoint, 400 / 64);
    for (const auto& found : rates.found) {
        EXPECT_EQ(found.planted_5.count, 50);
        EXPECT_GE(found.planted_3.count, 45);
    }
    EXPECT_NE(rates_text(rates).find("50 gates"), std::string::npos);
    EXPECT_NE(error_of([] { cut_gates(made_recording(60), {}, 5, 3); }).find("at least 64"),
              std::string::npos);
}

TEST(Proportion, HasClopperAndPearsonsInterval) {
    // scipy 1.10: binomtest(k, n).proportion_ci(method="exact").
    const auto none = proportion(0, 200);
    EXPECT_EQ(none.low, 0);
    EXPECT_NEAR(none.high, 0.018275, 1e-6);
    const auto some = proportion(7, 200);
    EXPECT_NEAR(some.low, 0.0141855, 1e-6);
    EXPECT_NEAR(some.high, 0.0707810, 1e-6);
    EXPECT_EQ(proportion(10, 10).high, 1);
    EXPECT_NEAR(proportion(10, 10).low, 0.691503, 1e-6);
}

}  // namespace
}  // namespace mtlprune::bench::recording_test
