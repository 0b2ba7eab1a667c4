#include "bench/compare/benchmark_file.h"

#include <gtest/gtest.h>

#include "bench/compare/context.h"
#include "tests/bad_input.h"
#include "tests/bench/results_text.h"
#include "tests/temporary_folder.h"

namespace mtlprune::bench::benchmark_file_test {
namespace {

TEST(BenchmarkFile, HoldsRepetitionsInNanosecondsAndOrder) {
    const auto file = parse_benchmarks(
        R"({"context": {}, "benchmarks": [
            {"name": "a", "run_name": "a", "run_type": "iteration", "repetition_index": 1, "iterations": 9,
             "real_time": 2.5, "cpu_time": 2, "time_unit": "us", "accuracy": 0.75},
            {"name": "a", "run_name": "a", "run_type": "iteration", "repetition_index": 0, "iterations": 9,
             "real_time": 1.5, "cpu_time": 1, "time_unit": "us", "accuracy": 0.5},
            {"name": "a_mean", "run_name": "a", "run_type": "aggregate", "aggregate_name": "mean",
             "real_time": 2, "cpu_time": 2, "time_unit": "us"},
            {"name": "b", "run_name": "b", "run_type": "iteration", "error_occurred": true,
             "error_message": "no GPU", "real_time": 0, "cpu_time": 0, "time_unit": "ns"}]})",
        "x.json");
    ASSERT_EQ(file.series.size(), 2u);
    EXPECT_EQ(file.series[0].name, "a");
    ASSERT_EQ(file.series[0].repetitions.size(), 2u);
    EXPECT_EQ(file.series[0].repetitions[0],
              (std::map<std::string, double>{{"real_time", 1500}, {"cpu_time", 1000}, {"accuracy", 0.5}}));
    EXPECT_EQ(file.series[0].repetitions[1].at("real_time"), 2500);
    EXPECT_EQ(file.series[1].error, "no GPU");
    EXPECT_TRUE(file.series[1].repetitions.empty());
}

TEST(BenchmarkFile, OfAnotherFormIsOneErrorThatSaysWhere) {
    const std::pair<std::string, std::string> cases[] = {
        {"", "x.json"},
        {"{", "x.json"},
        {"[1]", "'context'"},
        {R"({"context": {}})", "'benchmarks'"},
        {R"({"context": {}, "benchmarks": []})", "at least one repetition"},
        {R"({"context": {}, "benchmarks": [7]})", "benchmarks[0]"},
        {R"({"context": {}, "benchmarks": [{"real_time": 1}]})", "'name'"},
        {R"({"context": {}, "benchmarks": [{"name": "a", "real_time": 1, "cpu_time": 1}]})", "'time_unit'"},
        {R"({"context": {}, "benchmarks": [{"name": "a", "real_time": 1, "cpu_time": 1, "time_unit": "h"}]})",
         "'h'"},
        {R"({"context": {}, "benchmarks": [{"name": "a", "cpu_time": 1, "time_unit": "s"}]})", "'real_time'"},
        {R"({"context": {}, "benchmarks": [{"name": "a", "run_type": 3}]})", "benchmarks[0]"},
        {R"({"context": {}, "benchmarks": [{"name": "a", "real_time": NaN}]})", "x.json"},
    };
    for (const auto& [text, part] : cases) {
        const auto message = error_of([&, json = text] { parse_benchmarks(json, "x.json"); });
        EXPECT_NE(message.find(part), std::string::npos) << text << "\n" << message;
    }
    const TemporaryFolder folder;
    EXPECT_NE(error_of([&] { read_benchmarks(folder / "none.json"); }).find("none.json"), std::string::npos);
}

TEST(Context, DifferencesThatMatterAreNamed) {
    const auto context = [](const std::string& changed) {
        auto json = nlohmann::json::parse(kContext);
        json.merge_patch(nlohmann::json::parse(changed));
        return json;
    };
    const auto base = context("{}");
    using Texts = std::vector<std::string>;
    for (const char* harmless : {R"({"date": "later"})", R"({"executable": "y"})", R"({"load_avg": [9]})",
                                 R"({"mhz_per_cpu": 2400})", R"({"revision": "0123"})"})
        EXPECT_EQ(context_differences(base, context(harmless)), Texts{}) << harmless;
    EXPECT_EQ(context_differences(base, context(R"({"host_name": "b"})")),
              Texts{R"(host_name: "a" and "b")"});
    EXPECT_EQ(context_differences(base, context(R"({"mhz_per_cpu": 3000, "num_cpus": 4})")),
              (Texts{"mhz_per_cpu: 2300 and 3000", "num_cpus: 2 and 4"}));
    EXPECT_EQ(context_differences(base, context(R"({"library_build_type": "debug"})")),
              Texts{R"(library_build_type: "release" and "debug")"});
    EXPECT_EQ(context_differences(base, context(R"({"libtorch": null})")),
              Texts{R"(libtorch: "1.13.0" and nothing)"});
}

}  // namespace
}  // namespace mtlprune::bench::benchmark_file_test
