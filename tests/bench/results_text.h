// Google Benchmark's JSON in small, for tests.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <utility>
#include <vector>

#include "bench/compare/benchmark_file.h"

namespace mtlprune::bench {

inline constexpr const char* kContext =
    R"({"date": "2026-11-30T12:00:00+00:00", "host_name": "a", "executable": "x", "num_cpus": 2,
        "mhz_per_cpu": 2300, "cpu_scaling_enabled": false, "caches": [], "load_avg": [1, 2, 3],
        "library_build_type": "release", "libtorch": "1.13.0"})";

/// Repetitions of one benchmark in milliseconds; `more` stands in each, e.g. R"("accuracy": 0.5)".
inline std::string entries(const std::string& name, const std::vector<double>& milliseconds,
                           const std::string& more = "") {
    std::vector<std::string> all;
    for (size_t i = 0; i < milliseconds.size(); ++i)
        all.push_back(fmt::format(
            R"({{"name": "{0}", "run_name": "{0}", "run_type": "iteration", "repetitions": {1}, "threads": 1,
                 "repetition_index": {2}, "iterations": 10, "real_time": {3}, "cpu_time": {4}, "time_unit": "ms"{5}}})",
            name, milliseconds.size(), i, milliseconds[i], milliseconds[i] / 2,
            more.empty() ? "" : fmt::format(", {}", more)));
    return fmt::format("{}", fmt::join(all, ",\n"));
}

inline std::string results(const std::vector<std::string>& benchmarks,
                           const std::string& context = kContext) {
    return fmt::format(R"({{"context": {}, "benchmarks": [{}]}})", context, fmt::join(benchmarks, ",\n"));
}

inline BenchmarkFile file(const std::vector<std::string>& benchmarks, const std::string& context = kContext) {
    return parse_benchmarks(results(benchmarks, context), "x.json");
}

}  // namespace mtlprune::bench
