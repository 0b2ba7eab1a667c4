#include "pruning/cost/cost.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <unordered_map>

#include "base/error.h"
#include "pruning/ops/einsum_equation.h"

namespace mtlprune {
namespace {

using Shapes = std::vector<std::vector<int64_t>>;  ///< per value

int64_t elements(const std::vector<int64_t>& shape) {
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    return count;
}

/// Every output element sums weight[o, ...]; transposed, every input element is spread over weight[i, ...].
int64_t convolution_macs(const TracedGraph& graph, const TracedNode& node, const Shapes& shapes) {
    const auto& weight = shapes[node.inputs[1]];
    const auto& many = shapes[is_transposed(graph, node) ? node.inputs[0] : node.outputs[0]];
    return elements(many) * (elements(weight) / weight[0]);
}

/// One for every combination of indices and every product between two operands.
int64_t einsum_macs(const TracedGraph& graph, const TracedNode& node, const Shapes& shapes) {
    const auto& equation = graph.values[node.inputs[0]].constant;
    const auto& operands = graph.values[node.inputs[1]].elements;
    if (!equation || operands.size() < 2) return 0;
    std::vector<size_t> ranks;
    ranks.reserve(operands.size());
    for (const size_t operand : operands) ranks.push_back(shapes[operand].size());
    const auto parsed = parse_einsum(equation->toStringRef(), ranks);
    std::map<int, int64_t> sizes;
    for (size_t i = 0; i < operands.size(); ++i)
        for (size_t axis = 0; axis < ranks[i]; ++axis) {
            auto& size = sizes[parsed.operands[i][axis]];
            size = std::max(size, shapes[operands[i]][axis]);
        }
    int64_t combinations = static_cast<int64_t>(operands.size()) - 1;
    for (const auto& [letter, size] : sizes) combinations *= size;
    return combinations;
}

/// weight [O, I, J]: I J products of two inputs, each weighted.
int64_t bilinear_macs(const TracedGraph&, const TracedNode& node, const Shapes& shapes) {
    const auto& weight = shapes[node.inputs[2]];
    return elements(shapes[node.outputs[0]]) * weight[1] * weight[2];
}

/// q [..., n, d] with k [..., m, d], then the n x m scores with v [..., m, e].
int64_t dot_product_attention_macs(const TracedGraph&, const TracedNode& node, const Shapes& shapes) {
    const auto &q = shapes[node.inputs[0]], &k = shapes[node.inputs[1]], &v = shapes[node.inputs[2]];
    const int64_t scores = elements(q) / std::max<int64_t>(1, q.back()) * k[k.size() - 2];
    return scores * (q.back() + v.back());
}

/// Projections to queries, keys and values [3E, E] and from the heads [E, E], scores, weighted values.
int64_t self_attention_macs(const std::vector<int64_t>& x, const std::vector<int64_t>& projection) {
    return elements(x) * (projection[0] + 2 * x[x.size() - 2] + x.back());
}

int64_t native_attention_macs(const TracedGraph&, const TracedNode& node, const Shapes& shapes) {
    return self_attention_macs(shapes[node.inputs[0]], shapes[node.inputs[5]]);
}

int64_t encoder_layer_macs(const TracedGraph&, const TracedNode& node, const Shapes& shapes) {
    const auto& x = shapes[node.inputs[0]];
    return self_attention_macs(x, shapes[node.inputs[3]]) + 2 * elements(x) * shapes[node.inputs[14]][0];
}

/// Every matrix is applied to every step of every sequence; biases are vectors.
int64_t matrices_macs(const std::vector<size_t>& weights, const std::vector<int64_t>& x,
                      const Shapes& shapes) {
    int64_t macs = 0;
    for (const size_t weight : weights)
        if (shapes[weight].size() == 2) macs += elements(shapes[weight]);
    return macs * elements(x) / std::max<int64_t>(1, x.back());
}

int64_t recurrent_macs(const TracedGraph& graph, const TracedNode& node, const Shapes& shapes) {
    return matrices_macs(graph.values[node.inputs[2]].elements, shapes[node.inputs[0]], shapes);
}

int64_t cell_macs(const TracedGraph&, const TracedNode& node, const Shapes& shapes) {
    return matrices_macs({node.inputs[2], node.inputs[3]}, shapes[node.inputs[0]], shapes);
}

using Macs = int64_t (*)(const TracedGraph&, const TracedNode&, const Shapes&);

int64_t node_macs(const TracedGraph& graph, const TracedNode& node, const Shapes& shapes) {
    if (is_convolution(node.kind)) return convolution_macs(graph, node, shapes);
    const bool is_addmm = node.kind == "aten::addmm" || node.kind == "aten::baddbmm";
    const bool is_product = node.kind == "aten::linear" || node.kind == "aten::mm" ||
                            node.kind == "aten::bmm" || node.kind == "aten::matmul";
    if (is_addmm || is_product)
        return elements(shapes[node.outputs[0]]) * shapes[node.inputs[is_addmm ? 1 : 0]].back();
    static const std::unordered_map<std::string, Macs> table = {
        {"aten::einsum", einsum_macs},
        {"aten::bilinear", bilinear_macs},
        {"aten::scaled_dot_product_attention", dot_product_attention_macs},
        {"aten::_scaled_dot_product_attention", dot_product_attention_macs},
        {"aten::_native_multi_head_attention", native_attention_macs},
        {"aten::_transformer_encoder_layer_fwd", encoder_layer_macs},
        {"aten::lstm", recurrent_macs},
        {"aten::gru", recurrent_macs},
        {"aten::rnn_tanh", recurrent_macs},
        {"aten::rnn_relu", recurrent_macs},
        {"aten::lstm_cell", cell_macs},
        {"aten::gru_cell", cell_macs},
        {"aten::rnn_tanh_cell", cell_macs},
        {"aten::rnn_relu_cell", cell_macs}};
    const auto found = table.find(node.kind);
    return found == table.end() ? 0 : found->second(graph, node, shapes);
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
