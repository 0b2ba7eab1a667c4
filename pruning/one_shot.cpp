#include "pruning/one_shot.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <chrono>
#include <limits>

#include "base/error.h"
#include "pruning/graph/module_options.h"
#include "pruning/graph/script_network.h"
#include "pruning/surgery/surgery.h"
#include "pruning/surgery/verification.h"

namespace mtlprune {
namespace {

/// Seconds since the last call.
class StopWatch {
  public:
    double lap() {
        const auto now = std::chrono::steady_clock::now();
        const double seconds = std::chrono::duration<double>(now - last_).count();
        last_ = now;
        return seconds;
    }

  private:
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

/// Scores, allocation and plan: the part that is the same for every kind of module.
void choose(const Coupling& coupling, const StoredTensors& tensors, const OneShotOptions& options,
            OneShotReport& report) {
    auto scores = weight_scores(coupling.graph, coupling.groups, tensors, options.score);
    auto allocation = allocate(coupling, coupling.groups, scores.scores, options.allocation);
    report.plan = make_plan(coupling.groups, allocation.removed);
    report.before = allocation.before;
    report.after = allocation.after;
    report.frozen = coupling.frozen;
    report.notes = std::move(scores.notes);
    report.notes.insert(report.notes.end(), allocation.notes.begin(), allocation.notes.end());
    for (const auto& group : coupling.groups) {
        if (group.frozen) continue;
        ++report.groups;
        report.channels += group.channels;
    }
    for (const auto& removal : report.plan.groups)
        report.removed_channels += static_cast<int64_t>(removal.channels.size());
}

/// A module's parameters and buffers as they were.
class Backup {
  public:
    explicit Backup(torch::nn::Module& module) : module_(module), options_(module) {
        for (const auto& tensor : tensors()) values_.push_back(tensor.detach().clone());
    }
    void restore() const {
        const torch::NoGradGuard no_grad;
        const auto now = tensors();
        for (size_t i = 0; i < now.size(); ++i) torch::Tensor(now[i]).set_data(values_[i].clone());
        options_.restore();
    }

  private:
    std::vector<torch::Tensor> tensors() const {
        auto tensors = module_.parameters();
        const auto buffers = module_.buffers();
        tensors.insert(tensors.end(), buffers.begin(), buffers.end());
        return tensors;
    }
    torch::nn::Module& module_;
    OptionsSnapshot options_;
    std::vector<torch::Tensor> values_;
};

double largest_error(const std::vector<torch::Tensor>& found, const std::vector<torch::Tensor>& expected) {
    double error = 0;
    for (size_t i = 0; i < expected.size(); ++i)
        error = std::max(error, relative_error(found.at(i), expected[i]));
    return error;
}

bool mixes_channels(const Coupling& coupling, const Plan& plan) {
    for (const auto& removal : plan.groups)
        for (const auto& group : coupling.groups)
            if (group.name == removal.group && group.cross_channel) return true;
    return false;
}

/// Outputs of the original with zeros; the module is as before afterwards.
std::vector<torch::Tensor> zeroed_outputs(torch::nn::Module& module, const TracedFunction& forward,
                                          const std::vector<torch::Tensor>& inputs, const Plan& plan,
                                          const Backup& backup) {
    zero_removed(module, plan);
    auto outputs = forward(inputs);
    backup.restore();
    return outputs;
}

/// Rounding that a network amplifies is told from a wrong result as in verify(). The module is pruned before
/// and afterwards.
double error_in_double(torch::nn::Module& module, const TracedFunction& forward,
                       const std::vector<torch::Tensor>& inputs, const Plan& plan, const Backup& backup) {
    double error = std::numeric_limits<double>::infinity();
    try {
        backup.restore();
        module.to(torch::kFloat64);
        const auto expected = zeroed_outputs(module, forward, in_double(inputs), plan, backup);
        apply_plan(module, plan);
        module.to(torch::kFloat64);
        error = largest_error(forward(in_double(inputs)), expected);
    } catch (const std::exception&) {  // a forward pass that wants float32
    }
    backup.restore();
    apply_plan(module, plan);
    return error;
}

}  // namespace

OneShotReport prune_once(torch::jit::Module& module, const std::vector<torch::Tensor>& inputs,
                         const OneShotOptions& options) {
    const torch::NoGradGuard no_grad;
    OneShotReport report;
    // A copy of the network for the check; tensors of its own, since zeros are written into them.
    torch::jit::Module original = options.verify ? module.deepcopy() : torch::jit::Module();
    StopWatch watch;
    auto script = std::make_shared<ScriptTrace>(trace(module, inputs));
    report.seconds.trace = watch.lap();
    auto coupling = couple(std::move(script->graph), options.coupling);
    coupling.script = std::move(script);
    report.seconds.coupling = watch.lap();
    choose(coupling, stored_tensors(module), options, report);
    report.seconds.scoring = watch.lap();
    apply_plan(module, coupling, report.plan);
    report.seconds.surgery = watch.lap();
    if (!options.verify) return report;
    const auto check = verify(original, module, report.plan, inputs, options.coupling);
    report.seconds.verification = watch.lap();
    report.error = check.error;
    if (!check.passed())
        throw Error("pruned network", check.first_difference,
                    "what the original computes without the removed channels",
                    fmt::format("a relative difference of {:.2g}", check.error));
    return report;
}

OneShotReport prune_once(torch::nn::Module& module, const TracedFunction& forward,
                         const std::vector<torch::Tensor>& inputs, const OneShotOptions& options) {
    const torch::NoGradGuard no_grad;
    OneShotReport report;
    StopWatch watch;
    auto graph = trace(module, forward, inputs);
    report.seconds.trace = watch.lap();
    const auto coupling = couple(std::move(graph), options.coupling);
    report.seconds.coupling = watch.lap();
    choose(coupling, stored_tensors(module), options, report);
    report.seconds.scoring = watch.lap();
    if (!options.verify) {
        apply_plan(module, report.plan);
        report.seconds.surgery = watch.lap();
        return report;
    }
    const EvalMode eval_mode(module);
    const Backup backup(module);
    const auto expected = zeroed_outputs(module, forward, inputs, report.plan, backup);
    report.seconds.verification = watch.lap();
    apply_plan(module, report.plan);
    report.seconds.surgery = watch.lap();
    std::string reason;
    try {
        const auto found = forward(inputs);
        // Without some of its channels a layer norm gives other values, so only the shapes can be compared.
        report.error = mixes_channels(coupling, report.plan) ? 0 : largest_error(found, expected);
        bool is_right = report.error <= verification_tolerance(expected.at(0));
        if (!is_right) {
            const double exact = error_in_double(module, forward, inputs, report.plan, backup);
            is_right = exact <= verification_tolerance(in_double(expected).at(0));
            if (is_right) report.error = exact;
        }
        if (!is_right) reason = fmt::format("a relative difference of {:.2g}", report.error);
    } catch (const std::exception& error) {
        reason = std::string(error.what()).substr(0, std::string(error.what()).find('\n'));
    }
    report.seconds.verification += watch.lap();
    if (reason.empty()) return report;
    backup.restore();
    throw Error("pruned network", module.name() + " (restored)",
                "what the original computes without the removed channels", reason);
}

}  // namespace mtlprune
