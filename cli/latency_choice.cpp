#include "cli/latency_choice.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/utils.h>

#include "base/error.h"
#include "base/progress.h"

namespace mtlprune::cli {
namespace {

int64_t batch_of(const std::vector<c10::IValue>& inputs) {
    const bool has_batch = !inputs.empty() && inputs[0].isTensor() && inputs[0].toTensor().dim() > 0;
    return has_batch ? inputs[0].toTensor().size(0) : 0;
}

}  // namespace

LatencySetting default_setting(const std::vector<c10::IValue>& inputs) {
    return {"torchscript", at::get_num_threads(), std::max<int64_t>(1, batch_of(inputs))};
}

NetworkLatency measured_latency(const torch::jit::Module& module, const std::vector<c10::IValue>& inputs,
                                const Coupling& coupling, const LatencySetting& setting) {
    if (batch_of(inputs) != setting.batch)
        throw Error("latency", "--input",
                    fmt::format("a first input with the budget's batch, {}", setting.batch),
                    std::to_string(batch_of(inputs)));
    at::set_num_threads(setting.threads);
    Progress progress;
    return script_latency(module, inputs, coupling, setting, latency_folder(), [&](double done) {
        progress.update({done}, "measuring layers, once for this machine");
    });
}

}  // namespace mtlprune::cli
