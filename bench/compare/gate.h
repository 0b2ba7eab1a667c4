// The gate of a pull request: two builds of the benchmark programs, measured in turns and judged.
#pragma once

#include <filesystem>
#include <ostream>
#include <vector>

#include "bench/compare/comparison.h"
#include "bench/compare/gate_suite.h"
#include "bench/compare/sequential_gate.h"

namespace mtlprune::bench {

struct GateOptions {
    std::filesystem::path base, now;  ///< folders with the benchmark programs
    GateSuite suite;
    GatePlan plan;
    uint64_t seed = 1;      ///< of the order of runs
    bool control = true;    ///< also the base against itself, and the new side with a planted slow-down
    double planted = 0.05;  ///< share of each iteration's time
};

struct GateReport {
    Comparison comparison;             ///< only what was confirmed is worse
    std::vector<Decision> control;     ///< base against itself, in the order of the comparison's rows
    std::vector<Decision> planted;     ///< new against new with the slow-down
    std::string control_text() const;  ///< what the gate would have caught, for readers; "" without control
    double planted_share = 0;
};

/// Runs the whole gate, progress on standard error. What becomes of it depends on run_gate()'s rules alone;
/// the control is judged by decide() on the rounds of the search. Throws Error when a program fails.
GateReport measure_gate(const GateOptions& options);

}  // namespace mtlprune::bench
