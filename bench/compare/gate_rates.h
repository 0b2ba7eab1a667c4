// Gates cut out of a recording: how often the gate raises a false alarm, and how often it finds a slow-down.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/compare/recording.h"
#include "bench/compare/sequential_gate.h"

namespace mtlprune::bench {

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
