// What every benchmark of latencies says in the same words.
#pragma once

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <exception>
#include <string>

#include "bench/kit/engine.h"
#include "bench/kit/latency.h"
#include "bench/kit/machine_peak.h"

namespace mtlprune {

/// Calls `report`, unless the engine is not there: SKIPPED(reason). An engine that cannot run the network, or
/// computes something else, is FAILED(reason); the other benchmarks go on.
template <typename Report>
void report_with(const std::string& engine, benchmark::State& state, const Report& report) {
    try {
        const auto missing = engines().make(engine)->missing();
        if (missing.empty()) return report();
        state.SkipWithError(("SKIPPED(" + missing + ")").c_str());
    } catch (const std::exception& error) {
        state.SkipWithError(fmt::format("FAILED({})", error.what()).c_str());
    }
}

/// One benchmark, whose time `report` sets.
template <typename Report>
void register_report(const std::string& name, const std::string& engine, Report report) {
    benchmark::RegisterBenchmark(
        name.c_str(),
        [engine, report](benchmark::State& state) { report_with(engine, state, [&] { report(state); }); })
        ->Iterations(1)
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
}

/// The machine's peak, measured now, and written to the results' context.
inline MachinePeak peak_in_context() {
    const auto peak = measure_machine_peak();
    benchmark::AddCustomContext("peak_gemm_GFLOP_per_s", fmt::format("{:.0f}", peak.gemm * 1e-9));
    benchmark::AddCustomContext("peak_convolution_GFLOP_per_s",
                                fmt::format("{:.0f}", peak.convolution * 1e-9));
    benchmark::AddCustomContext("peak_copy_GB_per_s", fmt::format("{:.1f}", peak.copy * 1e-9));
    return peak;
}

/// The benchmark's time is the median; counters say how the runs are spread, the label whether they may be
/// used.
inline void report_latencies(benchmark::State& state, const LatencySummary& summary) {
    for (auto _ : state) state.SetIterationTime(summary.p50);
    auto& counters = state.counters;
    counters["runs"] = static_cast<double>(summary.runs);
    counters["mean_ms"] = 1e3 * summary.mean;
    counters["p90_ms"] = 1e3 * summary.p90;
    counters["p99_ms"] = 1e3 * summary.p99;
    counters["p90_bound_ms"] = 1e3 * summary.p90_bound;
    counters["spread"] = summary.spread;
    counters["valid"] = summary.invalid.empty() ? 1 : 0;
    state.SetLabel(summary.status());
}

/// How much faster than `slow`, which does `mac_reduction` times as many multiply-accumulates.
inline void report_speed_up(benchmark::State& state, const Latencies& slow, const Latencies& fast,
                            double mac_reduction) {
    const auto faster = speed_up(slow, fast);
    state.counters["speed_up"] = faster.ratio;
    state.counters["speed_up_low"] = faster.interval.low;
    state.counters["speed_up_high"] = faster.interval.high;
    state.counters["mac_reduction"] = mac_reduction;
    state.counters["efficiency"] = faster.ratio / mac_reduction;
}

/// Multiply-accumulates of one run, and what share of the machine's peak that is.
inline void report_work(benchmark::State& state, double macs, double seconds, double peak_flops) {
    state.counters["GMACs"] = macs * 1e-9;
    state.counters["GFLOP_per_s"] = 2e-9 * macs / seconds;
    state.counters["share_of_peak"] = 2 * macs / seconds / peak_flops;
}

}  // namespace mtlprune
