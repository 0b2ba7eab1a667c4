// Operators that combine the entries of one or several axes.
#include <algorithm>

#include "pruning/coupling/label_propagation.h"

namespace mtlprune {
namespace {

constexpr const char* kDecides = "every channel of this axis decides the result";
constexpr const char* kNotZero = "channels are summed that are not zero when their weights are";

/// The axes that a reduction runs over; all of them when none are named.
std::vector<size_t> reduced_axes(const Labelling& l, const TracedNode& node, size_t argument) {
    const size_t rank = l.shape(node.inputs[0]).size();
    std::vector<size_t> axes;
    const auto named =
        node.inputs.size() > argument ? l.graph().integers(node.inputs[argument]) : std::nullopt;
    if (named)
        for (const int64_t axis : *named) axes.push_back(wrap_axis(axis, rank));
    if (axes.empty())
        for (size_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
    return axes;
}

bool is_square(const TracedGraph& graph, const TracedNode& node) {
    if (node.kind == "aten::square") return true;
    if (node.kind == "aten::pow") return graph.number(node.inputs[1]) == 2.0;
    return node.kind == "aten::mul" && node.inputs[0] == node.inputs[1];
}

/// A mean of squares whose root is taken is the norm of an RMS normalisation. Fewer channels mean a mean of
/// fewer, as in layer norms.
bool is_mean_square(const TracedGraph& graph, const TracedNode& mean) {
    const auto makes_input = [&](const TracedNode& node) {
        return std::find(node.outputs.begin(), node.outputs.end(), mean.inputs[0]) != node.outputs.end();
    };
    const auto& nodes = graph.nodes;
    const auto square = std::find_if(nodes.begin(), nodes.end(), makes_input);
    if (mean.kind != "aten::mean" || square == nodes.end() || !is_square(graph, *square)) return false;
    size_t value = mean.outputs[0];
    for (const auto& node : nodes) {
        if (std::find(node.inputs.begin(), node.inputs.end(), value) == node.inputs.end()) continue;
        if (node.kind == "aten::rsqrt" || node.kind == "aten::sqrt") return true;
        if (node.kind != "aten::add" && node.kind != "aten::clamp_min" && node.kind != "aten::to")
            return false;
        value = node.outputs[0];
    }
    return false;
}

/// `zero_neutral`: a zero channel leaves without a trace; otherwise the result depends on how many there are.
void reduce(Labelling& l, const TracedNode& node, size_t argument, bool zero_neutral) {
    auto x = l.labels(node.inputs[0]);
    for (const size_t axis : reduced_axes(l, node, argument)) {
        const auto* array = x.covering(axis);
        const bool passes = array != nullptr && array->axes.size() == 1 && zero_neutral && x.vanishes;
        if (array != nullptr && !zero_neutral && is_mean_square(l.graph(), node))
            l.mark_cross_channel(l.alone(x, axis));
        else if (!passes)
            l.fix_axis(x, axis, zero_neutral ? kNotZero : kDecides);
        x.drop(axis);
        x.shape[axis] = 1;
    }
    x.vanishes = x.vanishes && zero_neutral;
    for (const size_t output : l.graph().tensor_outputs(node)) l.set(output, l.reshape(x, l.shape(output)));
}

/// sum(x, axes, keepdim, type) and the norm of vectors, whose axes stand behind the order.
void sum(Labelling& l, const TracedNode& node) {
    const bool all = node.inputs.size() <= 2;
    reduce(l, node, all ? node.inputs.size() : 1, true);
}

void norm(Labelling& l, const TracedNode& node) {
    reduce(l, node, 2, true);
}

void statistic(Labelling& l, const TracedNode& node) {
    reduce(l, node, node.inputs.size() > 2 ? 1 : node.inputs.size(), false);
}

/// max(x, axis, keepdim), max(x) or max(x, other).
void extreme(Labelling& l, const TracedNode& node) {
    if (!l.is_tensor(node, 1)) return statistic(l, node);
    const auto& shape = l.shape(node.outputs[0]);
    l.set(node.outputs[0], l.broadcast({l.labels(node.inputs[0]), l.labels(node.inputs[1])}, shape));
}

/// Keeps the shape but mixes one axis, named by the second argument: softmax, cumulative sums, sorting.
template <size_t argument>
void mix(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto axis = axis_argument(l, node, argument, x.shape.size());
    if (!axis) return freeze_inputs(l, node, "its arguments are not constants");
    l.fix_axis(x, *axis, kDecides);
    x.vanishes = false;
    for (const size_t output : l.graph().tensor_outputs(node)) {
        x.shape = l.shape(output);
        l.set(output, x);
    }
}

}  // namespace

void add_reduction_rules(RuleTable& rules) {
    add_rules(rules, sum, {"sum"});
    add_rules(rules, norm, {"norm", "linalg_vector_norm"});
    add_rules(rules, statistic,
              {"mean", "amax", "amin", "prod", "var", "std", "logsumexp", "argmax", "argmin", "median", "all",
               "any", "var_mean", "std_mean"});
    add_rules(rules, extreme, {"max", "min"});
    add_rules(rules, mix<1>,
              {"softmax", "_softmax", "log_softmax", "_log_softmax", "cumsum", "cumsum_", "cumprod", "sort",
               "argsort", "softmin", "cummax", "cummin"});
    add_rules(rules, mix<2>, {"topk", "kthvalue"});
}

}  // namespace mtlprune
