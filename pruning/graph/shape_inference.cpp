#include "pruning/graph/shape_inference.h"

#include "pruning/graph/precision.h"
#include "pruning/graph/script_inputs.h"

namespace mtlprune {
namespace {

using torch::jit::Stack;

bool has_meta(const Stack& stack) {
    bool found = false;
    for (const auto& value : stack)
        map_tensors(value, [&](const torch::Tensor& tensor) {
            found = found || tensor.is_meta();
            return tensor;
        });
    return found;
}

torch::Tensor meta_like(const torch::Tensor& tensor) {
    return torch::empty(tensor.sizes(),
                        torch::TensorOptions().dtype(tensor.scalar_type()).device(torch::kMeta));
}

}  // namespace

/// On zeros instead of the numbers that are not there; masks let everything pass. Processors do not compute
/// everything in half precision.
void ShapeInference::by_computing(const torch::jit::Node& node, Stack& stack) {
    stack = map_tensors(stack, [](const torch::Tensor& tensor) {
        if (!tensor.is_meta()) return tensor;
        const auto type = is_low_precision(tensor.scalar_type()) ? torch::kFloat32 : tensor.scalar_type();
        const auto options = torch::TensorOptions().dtype(type);
        return tensor.scalar_type() == torch::kBool ? torch::ones(tensor.sizes(), options)
                                                    : torch::zeros(tensor.sizes(), options);
    });
    node.getOperation()(stack);
    stack = map_tensors(stack, meta_like);
    computed_.emplace_back(node.kind().toQualString());
}

void ShapeInference::run(const torch::jit::Node& node, const Operator& op, Stack& stack) {
    if (!has_meta(stack)) return node.getOperation()(stack);
    if (op.shape != nullptr) {
        const auto result = op.shape(stack);
        stack.assign(1, result);
        return;
    }
    const Stack arguments = stack;
    try {
        stack = map_tensors(stack, [](const torch::Tensor& tensor) {
            return tensor.dim() == 0 ? tensor : meta_like(tensor);
        });
        node.getOperation()(stack);
    } catch (const std::exception&) {
        stack = arguments;
        by_computing(node, stack);
    }
}

}  // namespace mtlprune
