// All methods as tables for people: docs/methods.md.
#pragma once

#include <map>
#include <string>

namespace mtlprune::cli {

/// What methods cost, as bench_criteria measured it.
struct MethodCosts {
    struct Cost {
        double iterations;      ///< time, in iterations of training
        double forward_passes;  ///< of its own per mini-batch
    };
    std::map<std::string, Cost> criteria, regularizers;
    std::string machine;  ///< its processors; empty: nothing was measured

    /// Google Benchmark's JSON; several repetitions count with their median. Throws Error naming the file
    /// when it is none, or without training iterations.
    static MethodCosts read(const std::string& file);
};

/// Markdown: a line for every entry of the registries and every strategy.
std::string methods_table(const MethodCosts& costs);

}  // namespace mtlprune::cli
