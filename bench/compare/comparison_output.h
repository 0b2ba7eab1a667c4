// A comparison for people, pull requests, CI systems and programs.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/compare/comparison.h"

namespace mtlprune::bench {

/// A table in plain text, notes below it.
std::string comparison_text(const Comparison& comparison);
/// The same as a Markdown table under a heading that says whether something is worse.
std::string comparison_markdown(const Comparison& comparison);
/// JUnit XML: one test case per benchmark; worse is a failure, "need more data" is skipped, with the
/// interval.
std::string comparison_junit(const Comparison& comparison);
/// {"rules", "benchmarks": [{"name", "metric", "base", "new", "ratio", "low", "high", "pairs", "verdict",
/// ...}], "notes", "fails"}; bounds that do not exist are null.
nlohmann::json comparison_json(const Comparison& comparison);

}  // namespace mtlprune::bench
