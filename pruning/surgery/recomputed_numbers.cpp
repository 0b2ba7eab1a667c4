#include "pruning/surgery/recomputed_numbers.h"

#include <torch/script.h>

#include <algorithm>

#include "pruning/graph/script_graph.h"
#include "pruning/surgery/number_code.h"

namespace mtlprune {

namespace jit = torch::jit;

RecomputedNumbers::RecomputedNumbers(const Coupling& coupling, const KeptChannels& kept)
    : coupling_(coupling), kept_(kept) {
    const auto& nodes = coupling.graph.nodes;
    for (size_t i = 0; i < nodes.size(); ++i)
        if (nodes[i].outputs.size() == 1 && is_computed(nodes[i].outputs[0])) maker_[nodes[i].outputs[0]] = i;
}

bool RecomputedNumbers::is_computed(size_t value) const {
    return !coupling_.graph.values[value].computed_from.empty();
}

bool RecomputedNumbers::varies(size_t value) const {
    const auto& from = coupling_.graph.values[value].computed_from;
    return std::any_of(from.begin(), from.end(),
                       [&](const auto& place) { return !kept_.changes(place.first, place.second); });
}

std::optional<c10::IValue> RecomputedNumbers::of(size_t value) {
    const auto found = known_.find(value);
    if (found != known_.end()) return found->second;
    const auto result = compute(value);
    known_[value] = result;
    return result;
}

std::optional<std::pair<double, double>> RecomputedNumbers::fraction(size_t value) {
    const auto maker = maker_.find(value);
    if (maker != maker_.end()) {
        const auto& inputs = coupling_.graph.nodes[maker->second].inputs;
        const auto* code = coupling_.script->nodes[maker->second];
        if (passes_number(*code)) return fraction(inputs[0]);
        const auto a = rounds_quotient(*code) ? argument(inputs[0]) : std::nullopt;
        const auto b = a ? argument(inputs[1]) : std::nullopt;
        if (b && number_of(*a) && number_of(*b)) return std::pair(*number_of(*a), *number_of(*b));
    }
    const auto number = of(value);
    if (!number || !number_of(*number)) return std::nullopt;
    return std::pair(*number_of(*number), 1.0);
}

/// Tensors of one number are copied: operators may work in place.
std::optional<c10::IValue> RecomputedNumbers::argument(size_t value) {
    const auto& traced = coupling_.graph.values[value];
    if (is_computed(value)) return of(value);
    if (!traced.elements.empty() && !traced.is_tensor) {
        c10::List<int64_t> list;
        for (const size_t element : traced.elements) {
            const auto number = argument(element);
            if (!number || !number->isInt()) return std::nullopt;
            list.push_back(number->toInt());
        }
        return c10::IValue(list);
    }
    return traced.constant;
}

/// A size, where nothing but one axis is behind the number; else that of all axes.
std::optional<c10::IValue> RecomputedNumbers::size_of(size_t node, size_t value) {
    int64_t product = 1;
    for (const auto& [tensor, axis] : coupling_.graph.values[value].computed_from)
        product *= kept_.size(tensor, axis);
    const auto& output = coupling_.graph.values[coupling_.graph.nodes[node].outputs[0]];
    return output.constant && output.constant->isInt() ? std::optional<c10::IValue>(product) : std::nullopt;
}

std::optional<c10::IValue> RecomputedNumbers::compute(size_t value) {
    if (!is_computed(value)) return std::nullopt;
    const auto maker = maker_.find(value);
    if (maker == maker_.end()) {  // an element of a list of sizes
        const auto& from = coupling_.graph.values[value].computed_from;
        return from.size() == 1 ? std::optional<c10::IValue>(kept_.size(from[0].first, from[0].second))
                                : std::nullopt;
    }
    const auto& node = coupling_.graph.nodes[maker->second];
    if (node.op->tracing == Tracing::reads_sizes) return size_of(maker->second, value);
    jit::Stack stack;
    for (const size_t input : node.inputs) {
        auto content = argument(input);
        if (!content) return std::nullopt;
        if (content->isTensor() && content->toTensor().defined()) content = content->toTensor().clone();
        stack.push_back(*content);
    }
    try {
        coupling_.script->nodes[maker->second]->getOperation()(stack);
    } catch (const std::exception&) {  // a division by a size that is another now, say
        return std::nullopt;
    }
    return stack.size() == 1 ? std::optional<c10::IValue>(stack[0]) : std::nullopt;
}

}  // namespace mtlprune
