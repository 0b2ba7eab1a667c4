#include "pruning/coupling/script_network.h"

#include <torch/csrc/jit/passes/constant_pooling.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include <unordered_map>

#include "datasets/error.h"
#include "pruning/coupling/code_edits.h"
#include "pruning/coupling/surgery.h"

namespace mtlprune {
namespace {

namespace jit = torch::jit;

NamedTensors tensors_of(const jit::Module& module) {
    NamedTensors tensors;
    for (const auto& item : module.named_parameters()) tensors.parameters.emplace(item.name, item.value);
    for (const auto& item : module.named_buffers())
        if (item.value.defined()) tensors.buffers.emplace(item.name, item.value);
    return tensors;
}

}  // namespace

Coupling couple(const jit::Module& module, const std::vector<torch::Tensor>& inputs,
                const CouplingOptions& options) {
    auto script = std::make_shared<ScriptTrace>(trace(module, inputs));
    auto coupling = couple(std::move(script->graph), options);
    coupling.script = std::move(script);
    return coupling;
}

void apply_plan(jit::Module& module, const Coupling& coupling, const Plan& plan) {
    if (!coupling.script)
        throw Error("surgery", "TorchScript network", "the coupling of a TorchScript network", "another one");
    const torch::NoGradGuard no_grad;
    const auto tensors = tensors_of(module);
    const auto edits = find_edits(coupling, plan);
    remove_slices(tensors, plan, {});
    for (const auto& stored : coupling.graph.stored) {
        const auto found = edits.buffers.find(stored.value);
        if (found != edits.buffers.end()) tensors.at(stored.name).copy_(found->second);
    }
    std::unordered_map<size_t, std::string> names;
    for (const auto& stored : coupling.graph.stored) names[stored.value] = stored.name;
    for (const auto& rescaling : edits.rescalings)
        if (const auto name = names.find(rescaling.value); name != names.end())
            tensors.at(name->second).slice(0, rescaling.first, rescaling.last).mul_(rescaling.factor);
    edit_code(*coupling.script, coupling.graph, edits);
    jit::ConstantPooling(coupling.script->code);
    jit::EliminateDeadCode(coupling.script->code);
    install_forward(module, coupling.script->code);
}

void install_forward(jit::Module& module, std::shared_ptr<jit::Graph> code) {
    const auto name = module.get_method("forward").function().qualname();
    const auto unit = module._ivalue()->compilation_unit();
    module.type()->unsafeRemoveMethod("forward");
    unit->unsafeRemoveMethod(name);
    module.type()->addMethod(unit->create_function(name, std::move(code)));
}

void zero_removed(jit::Module& module, const Plan& plan) {
    zero_slices(tensors_of(module), plan);
}

}  // namespace mtlprune
