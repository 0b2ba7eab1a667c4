#include "pruning/graph/shape_inference.h"

#include <algorithm>

namespace mtlprune {
namespace {

using torch::jit::Stack;

bool is_meta(const c10::IValue& value) {
    return value.isTensor() && value.toTensor().defined() && value.toTensor().is_meta();
}

/// As the indices of x[:, index] are.
bool holds_optional_tensors(const c10::IValue& value) {
    return value.isList() && value.toList().elementType()->kind() == c10::TypeKind::OptionalType;
}

bool has_meta(const Stack& stack) {
    return std::any_of(stack.begin(), stack.end(), [](const c10::IValue& value) {
        if (holds_optional_tensors(value)) {
            const auto list = value.toListRef();
            return std::any_of(list.begin(), list.end(), is_meta);
        }
        if (!value.isTensorList()) return is_meta(value);
        const auto list = value.toTensorVector();
        return std::any_of(list.begin(), list.end(),
                           [](const torch::Tensor& tensor) { return tensor.is_meta(); });
    });
}

torch::Tensor meta_like(const torch::Tensor& tensor) {
    return torch::empty(tensor.sizes(),
                        torch::TensorOptions().dtype(tensor.scalar_type()).device(torch::kMeta));
}

/// Every tensor on the stack through `convert`, those in lists too.
template <typename Convert>
void convert_tensors(Stack& stack, const Convert& convert) {
    for (auto& value : stack) {
        if (value.isTensor() && value.toTensor().defined()) {
            value = convert(value.toTensor());
        } else if (value.isTensorList()) {
            auto list = value.toTensorVector();
            for (auto& tensor : list) tensor = convert(tensor);
            value = list;
        } else if (holds_optional_tensors(value)) {
            const auto list = value.toList();
            c10::impl::GenericList converted(list.elementType());
            for (const c10::IValue& element : list)
                converted.push_back(element.isTensor() ? c10::IValue(convert(element.toTensor())) : element);
            value = converted;
        }
    }
}

}  // namespace

/// On zeros instead of the numbers that are not there.
void ShapeInference::by_computing(const torch::jit::Node& node, Stack& stack) {
    convert_tensors(stack, [](const torch::Tensor& tensor) {
        return tensor.is_meta() ? torch::zeros(tensor.sizes(), tensor.options().device(torch::kCPU)) : tensor;
    });
    node.getOperation()(stack);
    convert_tensors(stack, meta_like);
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
        convert_tensors(stack, [](const torch::Tensor& tensor) {
            return tensor.dim() == 0 ? tensor : meta_like(tensor);
        });
        node.getOperation()(stack);
    } catch (const std::exception&) {
        stack = arguments;
        by_computing(node, stack);
    }
}

}  // namespace mtlprune
