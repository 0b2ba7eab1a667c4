// Hours of interleaved rounds of one build, and gates cut out of them: how often the gate alarms and finds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include "bench/compare/gate_suite.h"
#include "bench/compare/sequential_gate.h"

namespace mtlprune::bench {

/// Rounds of a build run plainly, plainly again and with slow-downs of 3 and 5 % planted.
struct Recording {
    inline static const std::vector<std::string> kVariants = {"plain", "again", "planted 3 %", "planted 5 %"};

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

struct Proportion {
    int64_t count = 0, of = 0;
    double rate = 0;
    double low = 0, high = 1;  ///< exact 95 % interval (Clopper and Pearson 1934)
};
Proportion proportion(int64_t count, int64_t of);

struct GateRates {
    Proportion alarms;  ///< gates of a build against itself that failed
    struct Found {
        std::string benchmark;
        Proportion planted_3, planted_5;  ///< gates in which this benchmark alone was slower, that said so
    };
    std::vector<Found> found;
    double mean_rounds = 0;  ///< of a gate without a difference, the confirmation among them
    int64_t disjoint = 0;    ///< gates that fit into the recording side by side
};

/// Runs `pieces` gates on rounds that follow each other in the recording, each from a place drawn at random.
/// Pieces overlap when there are more than fit side by side, and the intervals are then narrower than they
/// should be. Throws Error when the recording is shorter than the longest gate.
GateRates cut_gates(const Recording& recording, const GatePlan& plan, int64_t pieces, uint64_t seed);

/// As a table.
std::string rates_text(const GateRates& rates);

}  // namespace mtlprune::bench
