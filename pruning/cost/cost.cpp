#include "pruning/cost/cost.h"

#include <c10/util/accumulate.h>
#include <fmt/format.h>

#include <string>

#include "base/error.h"

namespace mtlprune {
namespace {

int64_t activation_bytes(const TracedGraph& graph, const TracedNode& node, const Shapes& shapes) {
    const auto read = graph.tensor_inputs(node);
    const auto has_own = [&](size_t output) {
        return node.op->memory == Memory::own ||
               (!read.empty() && graph.values[read.front()].type != graph.values[output].type);
    };
    int64_t bytes = 0;
    for (const size_t output : node.outputs)
        if (graph.values[output].is_tensor && has_own(output))
            bytes += c10::multiply_integers(shapes[output]) *
                     static_cast<int64_t>(c10::elementSize(graph.values[output].type));
    return bytes;
}

Cost sum(const TracedGraph& graph, const Shapes& shapes) {
    Cost cost;
    for (const auto& stored : graph.stored)
        if (!stored.is_buffer) cost.parameters += c10::multiply_integers(shapes[stored.value]);
    for (const auto& node : graph.nodes) {
        if (node.op->macs != nullptr) cost.macs += node.op->macs(graph, node, shapes);
        cost.activation_bytes += activation_bytes(graph, node, shapes);
    }
    return cost;
}

}  // namespace

Cost cost_of(const Coupling& coupling, const std::vector<int64_t>& kept) {
    if (kept.size() != coupling.groups.size())
        throw Error("cost", "kept channels", fmt::format("{} counts, one per group", coupling.groups.size()),
                    std::to_string(kept.size()));
    Shapes shapes;
    for (const auto& axes : coupling.sizes) {
        auto& shape = shapes.emplace_back();
        for (const auto& axis : axes) shape.push_back(axis.at(kept));
    }
    return sum(coupling.graph, shapes);
}

Cost cost_of(const TracedGraph& graph) {
    Shapes shapes;
    for (const auto& value : graph.values) shapes.push_back(value.shape);
    return sum(graph, shapes);
}

}  // namespace mtlprune
