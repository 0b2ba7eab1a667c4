// TorchScript files: surgery on tensors and code, checked against a copy of the original.
#include "pruning/graph/script_network.h"

#include <torch/utils.h>

#include "base/error.h"
#include "base/stop_watch.h"
#include "pruning/graph/script_tensors.h"
#include "pruning/network/network.h"

namespace mtlprune {
namespace {

class ScriptExpectation : public Expectation {
  public:
    ScriptExpectation(const torch::jit::Module& module, std::vector<c10::IValue> inputs, const Plan& plan,
                      const CouplingOptions& options)
        : module_(module),
          original_(module.deepcopy()),
          inputs_(std::move(inputs)),
          plan_(plan),
          options_(options) {}

    Verification check() override { return verify(original_, module_, plan_, inputs_, options_); }

  private:
    const torch::jit::Module& module_;
    torch::jit::Module original_;  ///< tensors of its own, since zeros are written into them
    std::vector<c10::IValue> inputs_;
    Plan plan_;
    CouplingOptions options_;
};

}  // namespace

Coupling ScriptNetwork::couple(const CouplingOptions& options, double* seconds) const {
    StopWatch watch;
    auto script = std::make_shared<ScriptTrace>(trace(module_, inputs_));
    if (seconds != nullptr) *seconds = watch.lap();
    auto coupling = mtlprune::couple(std::move(script->graph), options);
    coupling.script = std::move(script);
    return coupling;
}

StoredTensors stored_tensors(const torch::jit::Module& module) {
    StoredTensors tensors;
    visit_tensors(
        module, [&](const std::string& name, const torch::Tensor& tensor, bool) { tensors[name] = tensor; });
    return tensors;
}

StoredTensors ScriptNetwork::tensors() const {
    return stored_tensors(module_);
}

void ScriptNetwork::apply(const Coupling& coupling, const Plan& plan, const OnSlice& on_slice) {
    if (on_slice)
        throw Error("TorchScript network", "surgery", "no optimiser", "one whose state must shrink");
    if (plan.edit == EditKind::mask)
        zero_removed(module_, plan, buffers_with_weights(coupling.groups));
    else
        apply_plan(module_, coupling, plan);
}

std::vector<std::string> ScriptNetwork::notes(const Coupling& coupling, const Plan& plan) const {
    return plan.edit == EditKind::mask ? std::vector<std::string>() : branch_notes(coupling, plan);
}

std::unique_ptr<Expectation> ScriptNetwork::expect(const Coupling&, const Plan& plan,
                                                   const CouplingOptions& options) {
    return std::make_unique<ScriptExpectation>(module_, inputs_, plan, options);
}

}  // namespace mtlprune
