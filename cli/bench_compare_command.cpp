#include <fmt/format.h>

#include <charconv>

#include "base/error.h"
#include "bench/compare/comparison.h"
#include "cli/commands.h"
#include "cli/comparison_options.h"

namespace mtlprune::cli {
namespace {

constexpr const char* kCompareUsage =
    "usage: mtlprune bench-compare BASE.json NEW.json [OPTIONS]\n\nCompares what Google Benchmark programs "
    "wrote with --benchmark_out=FILE --benchmark_out_format=json and\n--benchmark_repetitions=N: for every "
    "benchmark same, different or need more data. Repetition i of both sides is\na pair, so measure them in "
    "turns; several files per side, A,B,C, are rounds.\n\nExit codes: 0 nothing is worse, 1 something is, 2 "
    "bad input.";

void add_counter_rules(std::vector<bench::CounterRule>& rules, const po::variables_map& values) {
    if (values.count("exact") > 0)
        for (const auto& name : split_commas(values["exact"].as<std::vector<std::string>>()))
            rules.push_back({name, 0});
    if (values.count("within") == 0) return;
    for (const auto& text : split_commas(values["within"].as<std::vector<std::string>>())) {
        const size_t equals = text.find('=');
        const char* end = text.data() + text.size();
        double within = -1;
        if (equals != std::string::npos && equals > 0)
            if (std::from_chars(text.data() + equals + 1, end, within).ptr != end) within = -1;
        if (!(within >= 0))
            throw Error("option", "--within", "NAME=REL, e.g. miou=0.001", fmt::format("'{}'", text));
        rules.push_back({text.substr(0, equals), within});
    }
}

std::vector<bench::BenchmarkFile> read_side(const po::variables_map& values, const char* option) {
    std::vector<bench::BenchmarkFile> files;
    for (const auto& path : split_commas(values[option].as<std::vector<std::string>>()))
        files.push_back(bench::read_benchmarks(path));
    return files;
}

}  // namespace

int bench_compare_command(const Arguments& arguments) {
    using Texts = std::vector<std::string>;
    po::options_description options("options");
    options.add_options()("base", po::value<Texts>()->composing()->required(),
                          "results before the change; FILE[,FILE...]")(
        "new", po::value<Texts>()->composing()->required(), "results after it")(
        "metric", po::value<std::string>()->default_value("real_time"), "real_time, cpu_time or a counter")(
        "higher-is-better", "of the metric: a rate, say")("exact", po::value<Texts>()->composing(),
                                                          "NAME[,NAME...]: counters that must be equal")(
        "within", po::value<Texts>()->composing(), "NAME=REL: a counter that may differ by this share")(
        "force", "compare what was measured under different conditions, and say so");
    add_rule_options(options);
    add_output_options(options);
    po::variables_map values;
    if (!parse(kCompareUsage, options, arguments, values, {"base", "new"})) return 0;
    bench::ComparisonOptions comparison;
    comparison.metric = {values["metric"].as<std::string>(), values.count("higher-is-better") > 0};
    comparison.rules = read_rules(values);
    comparison.force = values.count("force") > 0;
    add_counter_rules(comparison.counters, values);
    const auto result = bench::compare(read_side(values, "base"), read_side(values, "new"), comparison);
    write_outputs(result, "", values);
    return result.fails() ? 1 : 0;
}

}  // namespace mtlprune::cli
