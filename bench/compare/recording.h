// Hours of interleaved rounds of one build, a line of JSON each.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "bench/compare/gate_suite.h"

namespace mtlprune::bench {

/// Rounds of a build run plainly, plainly again and with slow-downs of 3 and 5 % planted.
struct Recording {
    inline static const std::vector<std::string> kVariants = {"plain", "again", "planted 3 %", "planted 5 %"};

    enum : size_t { kPlain, kAgain, kPlanted3, kPlanted5 };

    std::vector<std::string> benchmarks;
    std::vector<bool> higher_is_better;                    ///< per benchmark
    std::vector<std::vector<std::vector<double>>> rounds;  ///< [round][variant][benchmark]
};

struct RecordOptions {
    std::filesystem::path folder;  ///< with the programs
    GateSuite suite;
    std::filesystem::path file;
    double seconds = 600;
    uint64_t seed = 1;
};

/// Appends rounds to the file until the time is up: a line of JSON each, on disk before the next round
/// starts. An existing file is continued; a last line that was cut off is removed. Throws Error when the file
/// is of other benchmarks or another suite.
void record_rounds(const RecordOptions& options);

/// Throws Error naming file and line. A last line without its end is left out.
Recording read_recording(const std::filesystem::path& path);

}  // namespace mtlprune::bench
