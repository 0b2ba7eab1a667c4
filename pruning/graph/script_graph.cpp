#include "pruning/graph/script_graph.h"

#include <torch/csrc/jit/passes/inliner.h>
#include <torch/utils.h>

#include "base/error.h"
#include "pruning/graph/script_inputs.h"
#include "pruning/graph/script_tracer.h"

namespace mtlprune {
namespace {

void flatten(const c10::IValue& output, std::vector<torch::Tensor>& tensors) {
    if (output.isTensor()) {
        tensors.push_back(output.toTensor());
    } else if (output.isTuple()) {
        for (const auto& element : output.toTupleRef().elements()) flatten(element, tensors);
    } else if (output.isList()) {
        for (const auto& element : output.toListRef()) flatten(element, tensors);
    } else if (output.isGenericDict()) {
        for (const auto& item : output.toGenericDict()) flatten(item.value(), tensors);
    } else if (!output.isNone() && !output.isScalar() && !output.isString()) {
        throw Error("TorchScript network", "output", "tensors in tuples, lists or dictionaries",
                    output.tagKind());
    }
}

}  // namespace

ScriptTrace trace_computed(const torch::jit::Module& module, const std::vector<c10::IValue>& inputs,
                           const NodeObserver& observer) {
    const torch::NoGradGuard no_grad;
    forward_schema(module);
    ScriptTrace result;
    result.code = module.get_method("forward").graph()->copy();
    torch::jit::Inline(*result.code);
    ScriptTracer(module, result, observer).run(inputs);
    return result;
}

ScriptTrace trace(const torch::jit::Module& module, const std::vector<c10::IValue>& inputs) {
    return trace_computed(module, inputs, {});
}

std::vector<torch::Tensor> flatten_outputs(const c10::IValue& output) {
    std::vector<torch::Tensor> tensors;
    flatten(output, tensors);
    return tensors;
}

}  // namespace mtlprune
