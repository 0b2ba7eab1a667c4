// What a gate measures: benchmark programs, filters, times and metrics, read from JSON.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "bench/compare/child_program.h"
#include "bench/compare/comparison.h"

namespace mtlprune::bench {

struct SuiteProgram {
    std::string program;      ///< file name in the folder of programs
    std::string filter;       ///< regular expression, as --benchmark_filter takes it
    double min_time = 0.02;   ///< seconds per repetition
    int64_t repetitions = 5;  ///< within one run; the run counts as its best one
    Metric metric;
};

struct GateSuite {
    Variables environment;  ///< of every run
    std::vector<SuiteProgram> programs;
};

/// {"environment": {NAME: VALUE}, "programs": [{"program", "filter", "min_time", "repetitions", "metric",
/// "higher_is_better"}]}. Throws Error naming the place on anything else.
GateSuite read_suite(const std::filesystem::path& path);

/// Only the programs of these names. Throws Error on a name that the suite does not have.
GateSuite only_programs(const GateSuite& suite, const std::vector<std::string>& names);

}  // namespace mtlprune::bench
