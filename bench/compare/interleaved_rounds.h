// Benchmark programs of several variants, run in turns: every round runs each variant once, in random order.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/compare/gate_suite.h"

namespace mtlprune::bench {

/// What is run: the programs of a folder, perhaps with a planted slow-down.
struct Variant {
    std::string name;
    std::filesystem::path folder;
    double planted = 0;  ///< share of each iteration's time
};

class InterleavedRounds {
  public:
    struct Benchmark {
        size_t program;  ///< of the suite
        std::string name;
    };

    /// Asks the programs of all folders for their benchmarks. Throws Error if a program cannot be run or none
    /// of its benchmarks is in all folders.
    InterleavedRounds(GateSuite suite, std::vector<Variant> variants, uint64_t seed);

    /// Benchmarks that all variants have.
    const std::vector<Benchmark>& benchmarks() const { return benchmarks_; }
    /// "bench_coupling: chain_of_linears/8/2048/real_time"
    std::string title(size_t benchmark) const;
    const Metric& metric_of(size_t benchmark) const;
    const std::vector<Variant>& variants() const { return variants_; }
    /// Benchmarks that only some folders have, and conditions that differ between variants.
    const std::vector<std::string>& notes() const { return notes_; }

    /// One round of the benchmarks `which` and the variants `of`: value[variant][benchmark], in their order.
    /// The value is the best of a run's repetitions, since whatever disturbs a run only slows it down. Throws
    /// Error naming program and benchmark when one fails, has no such metric or does not plant.
    std::vector<std::vector<double>> round(const std::vector<size_t>& which, const std::vector<size_t>& of);

  private:
    std::map<std::string, double> run(size_t program, const std::vector<std::string>& names,
                                      const Variant& variant);
    void note_context(const Variant& variant, size_t program, const nlohmann::json& context);
    void find_benchmarks(size_t program);

    GateSuite suite_;
    std::vector<Variant> variants_;
    uint64_t seed_;
    uint64_t rounds_ = 0;
    std::vector<Benchmark> benchmarks_;
    std::vector<std::string> notes_;
    std::map<size_t, nlohmann::json> contexts_;  ///< per program, of its first run
};

}  // namespace mtlprune::bench
