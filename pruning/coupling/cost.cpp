#include "pruning/coupling/cost.h"

#include <fmt/format.h>

#include <string>

#include "datasets/error.h"

namespace mtlprune {
namespace {

using Shapes = std::vector<std::vector<int64_t>>;  ///< per value

int64_t elements(const std::vector<int64_t>& shape) {
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    return count;
}

bool is_convolution(const std::string& kind) {
    return kind == "aten::_convolution" || kind == "aten::convolution" ||
           kind.rfind("aten::conv1d", 0) == 0 || kind.rfind("aten::conv2d", 0) == 0 ||
           kind.rfind("aten::conv3d", 0) == 0 || kind.rfind("aten::conv_transpose", 0) == 0;
}

bool is_transposed(const TracedGraph& graph, const TracedNode& node) {
    if (node.kind.rfind("aten::conv_transpose", 0) == 0) return true;
    const bool general = node.kind == "aten::_convolution" || node.kind == "aten::convolution";
    return general && graph.integer(node.inputs[6], 0) != 0;
}

/// Every output element sums weight[o, ...]; transposed, every input element is spread over weight[i, ...].
int64_t convolution_macs(const TracedGraph& graph, const TracedNode& node, const Shapes& shapes) {
    const auto& weight = shapes[node.inputs[1]];
    const auto& many = shapes[is_transposed(graph, node) ? node.inputs[0] : node.outputs[0]];
    return elements(many) * (elements(weight) / weight[0]);
}

int64_t node_macs(const TracedGraph& graph, const TracedNode& node, const Shapes& shapes) {
    if (is_convolution(node.kind)) return convolution_macs(graph, node, shapes);
    const bool is_addmm = node.kind == "aten::addmm" || node.kind == "aten::baddbmm";
    const bool is_product = node.kind == "aten::linear" || node.kind == "aten::mm" ||
                            node.kind == "aten::bmm" || node.kind == "aten::matmul";
    if (!is_addmm && !is_product) return 0;
    return elements(shapes[node.outputs[0]]) * shapes[node.inputs[is_addmm ? 1 : 0]].back();
}

int64_t activation_bytes(const TracedGraph& graph, const TracedNode& node, const Shapes& shapes) {
    if (shares_memory(node.kind)) return 0;
    int64_t bytes = 0;
    for (const size_t output : node.outputs)
        if (graph.values[output].is_tensor)
            bytes +=
                elements(shapes[output]) * static_cast<int64_t>(c10::elementSize(graph.values[output].type));
    return bytes;
}

Cost sum(const TracedGraph& graph, const Shapes& shapes) {
    Cost cost;
    for (const auto& stored : graph.stored)
        if (!stored.is_buffer) cost.parameters += elements(shapes[stored.value]);
    for (const auto& node : graph.nodes) {
        cost.macs += node_macs(graph, node, shapes);
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
