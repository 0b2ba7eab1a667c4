#include "pruning/graph/script_network.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>

#include "base/error.h"
#include "pruning/graph/script_inputs.h"
#include "pruning/graph/script_tensors.h"
#include "pruning/surgery/code_edits.h"
#include "pruning/surgery/surgery.h"

namespace mtlprune {
namespace {

namespace jit = torch::jit;

NamedTensors tensors_of(const jit::Module& module) {
    NamedTensors tensors;
    visit_tensors(module, [&](const std::string& name, const torch::Tensor& tensor, bool is_buffer) {
        if (tensor.defined()) (is_buffer ? tensors.buffers : tensors.parameters).emplace(name, tensor);
    });
    return tensors;
}

void rescale(const NamedTensors& tensors, const Coupling& coupling,
             const std::vector<Rescaling>& rescalings) {
    for (const auto& rescaling : rescalings)
        for (const auto& stored : coupling.graph.stored)
            if (stored.value == rescaling.value)
                tensors.at(stored.name).slice(0, rescaling.first, rescaling.last).mul_(rescaling.factor);
}

/// Names and defaults of the arguments are those of `old`.
void add_method(const c10::ClassTypePtr& type, const c10::FunctionSchema& old,
                std::shared_ptr<jit::Graph> code) {
    auto* method = type->compilation_unit()->create_function(c10::QualifiedName(*type->name(), old.name()),
                                                             std::move(code));
    auto arguments = old.arguments();
    arguments.at(0) = c10::Argument(arguments[0].name(), type);
    method->setSchema(old.cloneWithArguments(std::move(arguments)));
    type->addMethod(method);
}

/// A new type with the module's attributes, constants and methods, all but forward.
c10::ClassTypePtr type_like(const jit::Module& module) {
    const auto old = module.type();
    const auto unit = module._ivalue()->compilation_unit();
    auto type = c10::ClassType::create(unit->mangle(old->name().value()), unit, /*is_module=*/true);
    for (size_t i = 0; i < old->numAttributes(); ++i)
        type->addAttribute(old->getAttributeName(i), old->getAttribute(i), old->is_parameter(i),
                           old->is_buffer(i));
    for (size_t i = 0; i < old->numConstants(); ++i)
        type->addConstant(old->getConstantName(i), old->getConstant(i));
    unit->register_type(type);
    for (const auto* method : old->methods()) {
        if (method->name() == "forward") continue;
        auto code = jit::toGraphFunction(*method).graph()->copy();
        code->inputs()[0]->setType(type);
        add_method(type, method->getSchema(), std::move(code));
    }
    return type;
}

}  // namespace

Coupling couple(const jit::Module& module, const std::vector<c10::IValue>& inputs,
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
    rescale(tensors, coupling, edits.rescalings);
    edit_code(*coupling.script, coupling.graph, edits);
    install_forward(module, coupling.script->code);
}

std::vector<std::string> branch_notes(const Coupling& coupling, const Plan& plan) {
    const KeptChannels kept(coupling, plan);
    const auto loses_channels = [&](size_t value) {
        for (size_t axis = 0; axis < coupling.graph.values[value].shape.size(); ++axis)
            if (kept.changes(value, axis)) return true;
        return false;
    };
    std::vector<std::string> places;
    for (const auto& branch : coupling.script->untaken)
        if (std::any_of(branch.reads.begin(), branch.reads.end(), loses_channels) &&
            std::find(places.begin(), places.end(), branch.place) == places.end())
            places.push_back(branch.place);
    if (places.empty()) return {};
    const bool is_one = places.size() == 1;
    return {fmt::format("these inputs did not take the branch{} at {}: {} may not run on the pruned network",
                        is_one ? "" : "es", fmt::join(places, ", "), is_one ? "it" : "they")};
}

void install_forward(jit::Module& module, std::shared_ptr<jit::Graph> code) {
    const auto type = type_like(module);
    code->inputs()[0]->setType(type);
    add_method(type, forward_schema(module), std::move(code));
    auto object = c10::ivalue::Object::create(c10::StrongTypePtr(module._ivalue()->compilation_unit(), type),
                                              type->numAttributes());
    for (size_t i = 0; i < type->numAttributes(); ++i) object->setSlot(i, module._ivalue()->getSlot(i));
    module = jit::Module(std::move(object));
}

void zero_removed(jit::Module& module, const Plan& plan, const std::set<std::string>& buffers) {
    zero_slices(tensors_of(module), plan, buffers);
}

}  // namespace mtlprune
