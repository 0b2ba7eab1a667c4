// What bench-compare and bench-gate have in common: rules and outputs.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/compare/comparison.h"
#include "cli/arguments.h"

namespace mtlprune::cli {

/// --margin, --tolerance, --alarm-rate.
void add_rule_options(po::options_description& options);
bench::DecisionRules read_rules(const po::variables_map& values);

/// --markdown, --junit, --json, --history, --commit.
void add_output_options(po::options_description& options);

/// Prints the table and writes the files asked for; `more` stands below the table, in the Markdown and, as
/// "control", in the JSON.
void write_outputs(const bench::Comparison& comparison, const std::string& more,
                   const po::variables_map& values);

/// "a,b" and "c" -> a, b, c.
std::vector<std::string> split_commas(const std::vector<std::string>& texts);

}  // namespace mtlprune::cli
