// What the JSON of every benchmark program says about how it was measured.
#pragma once

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "bench/kit/context.h"
#include "bench/kit/planted_slowdown.h"

namespace mtlprune {

/// Adds what results depend on (context.h) and what is planted to the context; call it when the threads are
/// set, before benchmarks run.
inline void add_program_context() {
    for (const auto& [key, value] : benchmark_context()) benchmark::AddCustomContext(key, value);
    benchmark::AddCustomContext("planted", fmt::format("{}", planted_share()));
}

}  // namespace mtlprune
