// What a Google Benchmark program measured, read from its JSON.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace mtlprune::bench {

/// One benchmark of one file. Times are in nanoseconds, whatever unit the file has; counters as they are.
struct BenchmarkSeries {
    std::string name;                                        ///< run_name
    std::vector<std::map<std::string, double>> repetitions;  ///< in order: real_time, cpu_time, counters
    std::string error;                                       ///< what the program reported; "" if nothing
};

struct BenchmarkFile {
    std::string place;       ///< the file's name, for messages
    nlohmann::json context;  ///< as it is in the file
    std::vector<BenchmarkSeries> series;
};

/// Reads the JSON that `--benchmark_out_format=json` writes (context and benchmarks; aggregates are left
/// out). Throws Error naming `place` and what is wrong there: no JSON, another form, no benchmarks.
BenchmarkFile parse_benchmarks(const std::string& text, const std::string& place);
BenchmarkFile read_benchmarks(const std::filesystem::path& path);

}  // namespace mtlprune::bench
