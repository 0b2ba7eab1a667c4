#include "pruning/surgery/number_code.h"

#include <cmath>

namespace mtlprune {

namespace jit = torch::jit;

std::optional<double> number_of(const c10::IValue& value) {
    if (value.isBool()) return value.toBool() ? 1 : 0;
    if (value.isInt()) return static_cast<double>(value.toInt());
    if (value.isDouble()) return value.toDouble();
    const bool is_one = value.isTensor() && value.toTensor().defined() && value.toTensor().numel() == 1;
    return is_one ? std::optional(value.toTensor().to(torch::kFloat64).item<double>()) : std::nullopt;
}

bool passes_number(const jit::Node& node) {
    const auto kind = node.kind();
    return kind == c10::prim::NumToTensor || kind == c10::aten::Int || kind == c10::aten::ScalarImplicit ||
           kind == c10::aten::IntImplicit;
}

bool rounds_quotient(const jit::Node& node) {
    const auto kind = node.kind();
    return kind == c10::aten::floordiv || kind == c10::aten::floor_divide ||
           (kind == c10::aten::div && node.inputs().size() == 3);
}

jit::Value* scaled_number(jit::Graph& graph, jit::Value* value, double numerator, double denominator) {
    const bool is_whole = numerator == std::floor(numerator) && denominator == std::floor(denominator);
    const auto times = [&](jit::Value* number, double factor) {
        if (!is_whole) return graph.insert(c10::aten::mul, {number, factor});
        return factor == 1 ? number : graph.insert(c10::aten::mul, {number, static_cast<int64_t>(factor)});
    };
    const auto& node = *value->node();
    if (is_whole && (passes_number(node) || rounds_quotient(node))) {
        auto* copy = graph.createClone(value->node(), [](jit::Value* input) { return input; });
        if (passes_number(node)) {
            copy->replaceInput(0, scaled_number(graph, node.input(0), numerator, denominator));
        } else {
            copy->replaceInput(0, times(node.input(0), numerator));
            copy->replaceInput(1, times(node.input(1), denominator));
        }
        return graph.insertNode(copy)->output();
    }
    auto* product = times(value, numerator);
    if (denominator == 1) return product;
    const bool is_tensor = value->type()->kind() == c10::TypeKind::TensorType;
    return graph.insert(is_tensor ? c10::aten::floor_divide : c10::aten::floordiv,
                        {product, static_cast<int64_t>(denominator)});
}

}  // namespace mtlprune
