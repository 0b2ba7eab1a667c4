// Latency of TorchScript networks: measured, and predicted for what pruning would leave.
#pragma once

#include <torch/script.h>

#include <string>
#include <vector>

#include "bench/latency/network_latency.h"

namespace mtlprune {

/// "latency=5ms@cpu:2threads:batch1" or "...:ENGINE"; ms, us or s. What is not said: the CPU, LibTorch's
/// threads, the batch of the example, "torchscript".
struct LatencyBudget {
    double seconds = 0;
    LatencySetting setting;
};
/// Of what stands behind "latency=". Throws Error on another form.
LatencyBudget parse_latency_budget(const std::string& text, const LatencySetting& defaults);

/// Median seconds of a network, frozen and prepared for inference; `module` stays as it is.
double script_seconds(const torch::jit::Module& module, const std::vector<c10::IValue>& inputs);

/// Tables of its layers, calibrated by the network itself and by it with half of all channels. Throws Error
/// for an engine that does not run TorchScript files.
NetworkLatency script_latency(const torch::jit::Module& module, const std::vector<c10::IValue>& inputs,
                              const Coupling& coupling, const LatencySetting& setting,
                              const std::filesystem::path& folder,
                              const std::function<void(double)>& on_progress = {});

}  // namespace mtlprune
