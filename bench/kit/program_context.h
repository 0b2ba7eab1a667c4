// What the JSON of every benchmark program says about how it was measured.
#pragma once

#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <torch/version.h>

#include "bench/kit/planted_slowdown.h"

namespace mtlprune {

/// Adds LibTorch's version, the number of threads and what is planted to the context; call it when the
/// threads are set, before benchmark::Initialize().
inline void add_program_context() {
    benchmark::AddCustomContext("libtorch", TORCH_VERSION);
    benchmark::AddCustomContext("threads", fmt::format("{}", at::get_num_threads()));
    benchmark::AddCustomContext("planted", fmt::format("{}", planted_share()));
}

}  // namespace mtlprune
