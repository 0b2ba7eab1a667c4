#include "bench/latency/script_latency.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <sstream>

#include "base/error.h"
#include "bench/kit/latency.h"
#include "pruning/criteria/criterion.h"
#include "pruning/network/prune.h"

namespace mtlprune {
namespace {

constexpr const char* kForm =
    "5ms@cpu:2threads:batch1:torchscript (a time, and as much of the rest as is needed)";
constexpr LatencyOptions kQuick = {.warm_up_runs = 5, .warm_up_seconds = 0.2, .seconds = 0.5, .runs = 15};

class ScriptRun : public Subject {
  public:
    ScriptRun(const torch::jit::Module& module, const std::vector<c10::IValue>& inputs)
        : module_(for_inference(module)), inputs_(inputs) {}
    void run() override {
        const c10::InferenceMode inference;
        module_.forward(inputs_);
    }
    std::vector<torch::Tensor> outputs() override { return {}; }

  private:
    static torch::jit::Module for_inference(const torch::jit::Module& module) {
        auto copy = module.deepcopy();
        copy.eval();
        auto frozen = torch::jit::freeze(copy);
        return torch::jit::optimize_for_inference(frozen);
    }
    torch::jit::Module module_;
    std::vector<c10::IValue> inputs_;
};

/// The number in front of `unit`, when that is the form.
bool read_number(const std::string& text, const std::string& unit, double& number) {
    if (text.size() <= unit.size() || !text.ends_with(unit)) return false;
    std::istringstream stream(text.substr(0, text.size() - unit.size()));
    stream >> number;
    return !stream.fail() && stream.eof() && number > 0;
}

}  // namespace

LatencyBudget parse_latency_budget(const std::string& text, const LatencySetting& defaults) {
    LatencyBudget budget{0, defaults};
    const size_t at = text.find('@');
    const auto time = text.substr(0, at);
    const std::pair<const char*, double> units[] = {{"ms", 1e-3}, {"us", 1e-6}, {"s", 1}};
    for (const auto& [unit, scale] : units)
        if (double number = 0; budget.seconds == 0 && read_number(time, unit, number))
            budget.seconds = number * scale;
    if (budget.seconds <= 0) throw Error("budget", "latency", kForm, "\"" + text + "\"");
    if (at == std::string::npos) return budget;
    std::istringstream parts(text.substr(at + 1));
    for (std::string part; std::getline(parts, part, ':');) {
        double number = 0;
        if (part == "cpu") continue;
        if (read_number(part, "threads", number) || read_number(part, "thread", number)) {
            budget.setting.threads = static_cast<int>(number);
        } else if (part.starts_with("batch") && read_number(part.substr(5) + ".", ".", number)) {
            budget.setting.batch = static_cast<int64_t>(number);
        } else if (part == "torchscript") {
            budget.setting.engine = part;
        } else {
            throw Error("budget", "latency", kForm, "\"" + part + "\"");
        }
    }
    return budget;
}

double script_seconds(const torch::jit::Module& module, const std::vector<c10::IValue>& inputs) {
    ScriptRun run(module, inputs);
    return summarise(measure_latencies({&run}, kQuick).front()).p50;
}

NetworkLatency script_latency(const torch::jit::Module& module, const std::vector<c10::IValue>& inputs,
                              const Coupling& coupling, const LatencySetting& setting,
                              const std::filesystem::path& folder,
                              const std::function<void(double)>& on_progress) {
    auto latency = network_latency(coupling, setting, folder, on_progress);
    auto half = module.deepcopy();
    ScriptNetwork network(half, inputs);
    const auto half_coupling = network.couple({});
    const auto scores = scores_without_data(*criteria().make("l2"), half_coupling.graph, half_coupling.groups,
                                            network.tensors())
                            .scores;
    const auto removed = allocate(half_coupling, half_coupling.groups, scores, {}).removed;
    network.apply(half_coupling, make_plan(half_coupling.groups, removed));
    auto kept = channel_counts(coupling.groups);
    const auto dense = kept;
    for (size_t g = 0; g < kept.size(); ++g) kept[g] -= static_cast<int64_t>(removed[g].size());
    latency.calibrate({{dense, script_seconds(module, inputs)}, {kept, script_seconds(half, inputs)}});
    return latency;
}

}  // namespace mtlprune
