// Operators that move, cut or join axes, and reductions over them.
#include <algorithm>

#include "pruning/coupling/label_propagation.h"

namespace mtlprune {
namespace {

size_t wrap(int64_t axis, size_t rank) {
    return static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(rank) : axis);
}

void freeze_unread(Labelling& l, const TracedNode& node) {
    for (const size_t value : l.graph().tensor_inputs(node))
        l.freeze_all(l.labels(value), "its arguments are not constants");
}

/// An argument that names an axis of the first tensor, counted from the front.
std::optional<size_t> axis_argument(const Labelling& l, const TracedNode& node, size_t input) {
    const auto named = l.graph().integers(node.inputs[input]);
    if (!named || named->size() != 1) return std::nullopt;
    return wrap(named->front(), l.shape(l.graph().tensor_inputs(node).front()).size());
}

void reshape(Labelling& l, const TracedNode& node) {
    l.set(node.outputs[0], l.reshape(l.operand(node.inputs[0]), l.shape(node.outputs[0])));
}

void expand(Labelling& l, const TracedNode& node) {
    l.set(node.outputs[0], l.broadcast({l.operand(node.inputs[0])}, l.shape(node.outputs[0])));
}

void permute(Labelling& l, const TracedNode& node) {
    const auto& x = l.labels(node.inputs[0]);
    const auto order = l.graph().integers(node.inputs[1]);
    if (!order || order->size() != x.size()) return freeze_unread(l, node);
    TensorLabels out;
    for (const int64_t axis : *order) out.push_back(x[wrap(axis, x.size())]);
    l.set(node.outputs[0], std::move(out));
}

void transpose(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    if (x.size() >= 2) {
        const bool matrix = node.inputs.size() < 3;
        const std::optional<size_t> a = matrix ? 0 : axis_argument(l, node, 1);
        const std::optional<size_t> b = matrix ? 1 : axis_argument(l, node, 2);
        if (!a || !b) return freeze_unread(l, node);
        std::swap(x[*a], x[*b]);
    }
    l.set(node.outputs[0], std::move(x));
}

/// Appends an operand's labels along the concatenated axis; a fixed operand has the fixed label throughout.
void append(AxisLabels& joined, const AxisLabels& labels, int64_t size) {
    if (labels.empty())
        joined.insert(joined.end(), size, kFixedLabel);
    else
        joined.insert(joined.end(), labels.begin(), labels.end());
}

void concatenate(Labelling& l, const TracedNode& node) {
    const auto& shape = l.shape(node.outputs[0]);
    const auto named = l.graph().integers(node.inputs[1]);
    if (!named || named->size() != 1) return freeze_unread(l, node);
    const size_t axis = wrap(named->front(), shape.size());
    std::vector<Operand> others;
    AxisLabels joined;
    for (const size_t value : l.graph().tensor_inputs(node)) {
        auto operand = l.operand(value);
        if (operand.shape.size() != shape.size()) continue;  // cat accepts and ignores empty vectors
        append(joined, operand.labels[axis], operand.shape[axis]);
        operand.shape[axis] = shape[axis];
        operand.labels[axis].clear();
        others.push_back(std::move(operand));
    }
    auto out = l.broadcast(others, shape);
    const bool fixed =
        std::all_of(joined.begin(), joined.end(), [](Label label) { return label == kFixedLabel; });
    if (!fixed) out[axis] = std::move(joined);
    l.set(node.outputs[0], std::move(out));
}

/// The axes that a reduction runs over; all of them when none are named.
std::vector<size_t> reduced_axes(const Labelling& l, const TracedNode& node) {
    const size_t rank = l.shape(node.inputs[0]).size();
    std::vector<size_t> axes;
    const auto named = node.inputs.size() > 2 ? l.graph().integers(node.inputs[1]) : std::nullopt;
    if (named)
        for (const int64_t axis : *named) axes.push_back(wrap(axis, rank));
    if (axes.empty())
        for (size_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
    return axes;
}

/// A sum loses nothing when a zero channel leaves; any other reduction depends on how many there are.
template <bool zero_neutral>
void reduce(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto axes = reduced_axes(l, node);
    const bool keeps_rank = l.shape(node.outputs[0]).size() == x.size();
    TensorLabels out;
    for (size_t axis = 0; axis < x.size(); ++axis) {
        const bool reduced = std::find(axes.begin(), axes.end(), axis) != axes.end();
        if (reduced && !zero_neutral) l.freeze(x[axis], "every channel of this axis decides the result");
        if (reduced && keeps_rank) out.emplace_back();
        if (!reduced) out.push_back(x[axis]);
    }
    l.set(node.outputs[0], std::move(out));
}

/// Softmax and its kin keep the shape but mix one axis.
void normalise(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto axis = axis_argument(l, node, 1);
    if (!axis) return freeze_unread(l, node);
    if (*axis < x.size()) l.freeze(x[*axis], "every channel of this axis decides the result");
    l.set(node.outputs[0], std::move(x));
}

void add(RuleTable& rules, Rule rule, std::initializer_list<const char*> kinds) {
    for (const char* kind : kinds) rules[std::string("aten::") + kind] = rule;
}

}  // namespace

void add_shape_rules(RuleTable& rules) {
    add(rules, reshape,
        {"view", "_unsafe_view", "reshape", "_reshape_alias", "flatten", "unflatten", "squeeze",
         "unsqueeze"});
    add(rules, expand, {"expand", "expand_as"});
    add(rules, permute, {"permute"});
    add(rules, transpose, {"transpose", "t"});
    add(rules, concatenate, {"cat", "concat", "concatenate"});
    add(rules, reduce<true>, {"sum"});
    add(rules, reduce<false>, {"mean", "amax", "amin"});
    add(rules, normalise, {"softmax", "_softmax", "log_softmax", "_log_softmax"});
}

}  // namespace mtlprune
