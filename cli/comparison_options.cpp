#include "cli/comparison_options.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <iostream>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/revision.h"
#include "bench/compare/comparison_output.h"
#include "bench/compare/history.h"

namespace mtlprune::cli {

void add_rule_options(po::options_description& options) {
    const bench::DecisionRules rules;
    options.add_options()("margin", po::value<double>()->default_value(rules.margin, "0.05"),
                          "same: the interval lies within this")(
        "tolerance", po::value<double>()->default_value(rules.tolerance, "0.01"),
        "different: the interval excludes everything up to this (builds differ a little by how code lies in "
        "memory)")("alarm-rate", po::value<double>()->default_value(rules.alarm_rate, "0.02"),
                   "probability of a false alarm in the whole suite");
}

bench::DecisionRules read_rules(const po::variables_map& values) {
    bench::DecisionRules rules;
    rules.margin = values["margin"].as<double>();
    rules.tolerance = values["tolerance"].as<double>();
    rules.alarm_rate = values["alarm-rate"].as<double>();
    rules.check();
    return rules;
}

void add_output_options(po::options_description& options) {
    options.add_options()("markdown", po::value<std::string>(), "write a table for a pull request")(
        "junit", po::value<std::string>(), "write JUnit XML")("json", po::value<std::string>(), "write JSON")(
        "history", po::value<std::string>(), "append the new side's medians to a CSV file for Apache Otava")(
        "commit", po::value<std::string>(),
        "what --history calls the new side (default: this program's revision)");
}

void write_outputs(const bench::Comparison& comparison, const std::string& more,
                   const po::variables_map& values) {
    std::cout << bench::comparison_text(comparison) << more << (more.empty() ? "" : "\n");
    const auto file = [&](const char* option) { return values[option].as<std::string>(); };
    if (values.count("markdown") > 0)
        write_file_atomically(file("markdown"),
                              bench::comparison_markdown(comparison) +
                                  (more.empty() ? "" : fmt::format("\n```\n{}\n```\n", more)));
    if (values.count("junit") > 0) write_file_atomically(file("junit"), bench::comparison_junit(comparison));
    if (values.count("json") > 0) {
        auto json = bench::comparison_json(comparison);
        if (!more.empty()) json["control"] = more;
        write_file_atomically(file("json"), json.dump(2) + "\n");
    }
    if (values.count("history") > 0)
        bench::append_history(file("history"), comparison,
                              fmt::format("{:%Y-%m-%dT%H:%M:%S+00:00}", fmt::gmtime(std::time(nullptr))),
                              values.count("commit") > 0 ? file("commit") : this_program().revision);
}

std::vector<std::string> split_commas(const std::vector<std::string>& texts) {
    std::vector<std::string> parts;
    for (const auto& text : texts)
        for (size_t first = 0; first <= text.size();) {
            const size_t end = std::min(text.find(',', first), text.size());
            if (end > first) parts.push_back(text.substr(first, end - first));
            first = end + 1;
        }
    return parts;
}

}  // namespace mtlprune::cli
