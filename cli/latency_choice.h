// Latency budgets of TorchScript files on the command line.
#pragma once

#include <torch/script.h>

#include <string>
#include <vector>

#include "bench/latency/latency_allocation.h"
#include "bench/latency/script_latency.h"

namespace mtlprune::cli {

/// Sets LibTorch's threads to the setting's and measures what is not in the cache yet, with a line of
/// progress. Throws Error when the first input is no tensor with the setting's batch.
NetworkLatency measured_latency(const torch::jit::Module& module, const std::vector<c10::IValue>& inputs,
                                const Coupling& coupling, const LatencySetting& setting);

/// The setting of whatever is not said: LibTorch's threads as they are, the example's batch.
LatencySetting default_setting(const std::vector<c10::IValue>& inputs);

}  // namespace mtlprune::cli
