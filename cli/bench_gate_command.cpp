#include <fmt/format.h>

#include <iostream>

#include "base/error.h"
#include "bench/compare/gate.h"
#include "bench/compare/gate_rates.h"
#include "bench/compare/recording.h"
#include "cli/commands.h"
#include "cli/comparison_options.h"

namespace mtlprune::cli {
namespace {

constexpr const char* kGateUsage =
    "usage: mtlprune bench-gate --base DIR --new DIR --suite FILE [OPTIONS]\n"
    "       mtlprune bench-gate --new DIR --suite FILE --record FILE --minutes N\n"
    "       mtlprune bench-gate --cut FILE --pieces N\n\nRuns the benchmark programs of two builds in turns "
    "and "
    "compares them; what is worse must be worse in fresh\nrounds too. bench/gate.sh builds both sides and "
    "calls "
    "this. --record runs one build plainly, again, and with planted\nslow-downs, for hours if need be; --cut "
    "cuts "
    "gates out of such a recording and says how often they alarm and find.\n\nExit codes: 0 nothing is "
    "worse, 1 "
    "something is, 2 bad input, or a program failed.";

std::string required_text(const po::variables_map& values, const char* option, const char* meaning) {
    if (values.count(option) == 0) throw Error("option", fmt::format("--{}", option), meaning, "nothing");
    return values[option].as<std::string>();
}

bench::GateSuite read_suite_option(const po::variables_map& values) {
    const auto suite =
        bench::read_suite(required_text(values, "suite", "a JSON file, e.g. bench/gate_suite.json"));
    if (values.count("program") == 0) return suite;
    return bench::only_programs(suite, values["program"].as<std::vector<std::string>>());
}

bench::GatePlan read_plan(const po::variables_map& values) {
    bench::GatePlan plan;
    plan.rules = read_rules(values);
    plan.first = values["rounds"].as<int64_t>();
    plan.step = values["step"].as<int64_t>();
    plan.most = std::max(plan.first, values["most"].as<int64_t>());
    return plan;
}

int record(const po::variables_map& values) {
    bench::RecordOptions options;
    options.folder = required_text(values, "new", "the folder of the benchmark programs");
    options.suite = read_suite_option(values);
    options.file = values["record"].as<std::string>();
    options.seconds = 60 * values["minutes"].as<double>();
    options.seed = values["seed"].as<uint64_t>();
    bench::record_rounds(options);
    return 0;
}

int cut(const po::variables_map& values) {
    const auto recording = bench::read_recording(values["cut"].as<std::string>());
    const auto pieces = values["pieces"].as<int64_t>();
    if (pieces < 1) throw Error("option", "--pieces", "at least 1", std::to_string(pieces));
    std::cout << bench::rates_text(
        bench::cut_gates(recording, read_plan(values), pieces, values["seed"].as<uint64_t>()));
    return 0;
}

int gate(const po::variables_map& values) {
    bench::GateOptions options;
    options.base = required_text(values, "base", "the folder of the base's benchmark programs");
    options.now = required_text(values, "new", "the folder of the new benchmark programs");
    options.suite = read_suite_option(values);
    options.plan = read_plan(values);
    options.seed = values["seed"].as<uint64_t>();
    options.control = values.count("no-control") == 0;
    options.planted = values["plant"].as<double>();
    const auto report = bench::measure_gate(options);
    write_outputs(report.comparison, report.control_text(), values);
    return report.comparison.fails() ? 1 : 0;
}

void add_gate_options(po::options_description& options) {
    const bench::GatePlan plan;
    options.add_options()("base", po::value<std::string>(), "folder of the programs before the change")(
        "new", po::value<std::string>(), "folder of the programs after it")("suite", po::value<std::string>(),
                                                                            "what to measure, JSON")(
        "program", po::value<std::vector<std::string>>()->composing(), "only this program of the suite")(
        "rounds", po::value<int64_t>()->default_value(plan.first), "rounds that every benchmark gets")(
        "step", po::value<int64_t>()->default_value(plan.step),
        "further rounds while something is undecided")("most", po::value<int64_t>()->default_value(plan.most),
                                                       "rounds at most, confirmation apart")(
        "plant", po::value<double>()->default_value(0.05, "0.05"), "slow-down of the control")(
        "no-control", "without the base against itself and the planted slow-down: half as long")(
        "seed", po::value<uint64_t>()->default_value(1), "of the order of runs, and of the pieces")(
        "record", po::value<std::string>(), "append rounds to this file, one line of JSON each")(
        "minutes", po::value<double>()->default_value(10, "10"), "of --record")(
        "cut", po::value<std::string>(), "a recording")("pieces", po::value<int64_t>()->default_value(1000),
                                                        "gates that are cut out of it");
}

}  // namespace

int bench_gate_command(const Arguments& arguments) {
    po::options_description options("options");
    add_gate_options(options);
    add_rule_options(options);
    add_output_options(options);
    po::variables_map values;
    if (!parse(kGateUsage, options, arguments, values)) return 0;
    if (values.count("record") > 0) return record(values);
    return values.count("cut") > 0 ? cut(values) : gate(values);
}

}  // namespace mtlprune::cli
