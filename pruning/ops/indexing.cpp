// Operators that take entries of an axis which tensors name.
#include <algorithm>

#include "pruning/ops/families.h"

namespace mtlprune {
namespace {

constexpr const char* kIndices = "its indices are no constants that can follow";

/// Entries named by a constant vector of indices, along one axis.
void select_entries(Labelling& l, const TracedNode& node, size_t axis, size_t index) {
    auto x = l.labels(node.inputs[0]);
    const auto entries = l.graph().tensor_content(index);
    if (x.is_fixed(axis)) {
        x.shape[axis] = l.shape(node.outputs[0])[axis];
        return l.set(node.outputs[0], std::move(x));
    }
    if (!entries || !l.graph().editable) {
        l.fix_axis(x, axis, kIndices);
        x.shape[axis] = l.shape(node.outputs[0])[axis];
        return l.set(node.outputs[0], std::move(x));
    }
    std::vector<int64_t> picks;
    for (const int64_t entry : *entries) picks.push_back(entry < 0 ? entry + x.shape[axis] : entry);
    l.alone(x, axis);
    x = part_of(l, x, axis, picks);
    l.attach(index, 0, l.alone(x, axis), Role::channelwise);
    l.set(node.outputs[0], std::move(x));
}

/// index_select(x, axis, index)
void index_select(Labelling& l, const TracedNode& node) {
    const auto axis = axis_argument(l.graph(), node, 1, l.shape(node.inputs[0]).size());
    if (!axis || l.shape(node.inputs[2]).size() != 1) return freeze_inputs(l, node, kNotConstant);
    select_entries(l, node, *axis, node.inputs[2]);
}

/// What is left of x when `added` axes of size 1 take the place of those that indices name: that of the
/// first, or in front of all others where the indexed axes are not neighbours.
struct LookedUp {
    Labelled x;
    std::vector<int64_t> shape;
    size_t place;
};

LookedUp look_up_form(Labelled x, const std::vector<size_t>& axes, size_t added) {
    const bool neighbours = axes.back() - axes.front() + 1 == axes.size();
    const size_t place = neighbours ? axes.front() : 0;
    std::vector<size_t> target(x.shape.size());
    std::vector<int64_t> shape(place, 1);
    for (size_t axis = 0, next = 0; axis < x.shape.size(); ++axis) {
        if (contains(axes, axis)) continue;
        if (next == place) shape.resize(place + added, 1);
        target[axis] = next < place ? next : next + added;
        if (next < place)
            shape[next] = x.shape[axis];
        else
            shape.push_back(x.shape[axis]);
        ++next;
    }
    shape.resize(x.shape.size() - axes.size() + added, 1);
    for (auto& array : x.arrays)
        for (auto& axis : array.axes) axis = target[axis];
    x.shape = shape;
    return {std::move(x), std::move(shape), place};
}

/// Indices of any shape for some axes, which stay.
void look_up(Labelling& l, const TracedNode& node, const std::vector<size_t>& axes) {
    auto x = l.labels(node.inputs[0]);
    const auto& shape = l.shape(node.outputs[0]);
    for (const size_t axis : axes) l.fix_axis(x, axis, kIndices);
    const size_t rest = x.shape.size() - axes.size();
    if (shape.size() < rest) return freeze_inputs(l, node, kNotConstant);
    auto out = look_up_form(std::move(x), axes, shape.size() - rest).x;
    out.shape = shape;
    l.set(node.outputs[0], std::move(out));
}

/// The axes that a list of indices names; one mask names as many as it has. Nothing where it is unclear.
std::vector<size_t> indexed_axes(const TracedGraph& graph, const std::vector<size_t>& indices) {
    std::vector<size_t> axes;
    size_t masks = 0, tensors = 0;
    for (size_t i = 0; i < indices.size(); ++i) {
        const auto& index = graph.values[indices[i]];
        if (!index.is_tensor) continue;
        ++tensors;
        const bool is_mask = index.type == c10::ScalarType::Bool || index.type == c10::ScalarType::Byte;
        masks += is_mask ? 1 : 0;
        for (size_t n = 0; n < (is_mask ? index.shape.size() : 1); ++n) axes.push_back(i + n);
    }
    if (masks > 0 && tensors > 1) axes.clear();
    return axes;
}

/// x[:, index]
void advanced_index(Labelling& l, const TracedNode& node) {
    const auto& indices = l.graph().values[node.inputs[1]].elements;
    const auto axes = indexed_axes(l.graph(), indices);
    if (axes.empty()) return freeze_inputs(l, node, kNotConstant);
    const auto& first = l.graph().values[indices[axes[0]]];
    const bool is_vector = c10::isIntegralType(first.type, /*includeBool=*/false) &&
                           first.type != c10::ScalarType::Byte && first.shape.size() == 1;
    if (axes.size() == 1 && is_vector) return select_entries(l, node, axes[0], indices[axes[0]]);
    look_up(l, node, axes);
}

/// x[:, index] = values: what the indices do not name is x's and the values' alike.
void put(Labelling& l, const TracedNode& node) {
    const auto& indices = l.graph().values[node.inputs[1]].elements;
    const auto axes = indexed_axes(l.graph(), indices);
    if (axes.empty()) return freeze_inputs(l, node, kNotConstant);
    auto x = l.labels(node.inputs[0]), values = l.labels(node.inputs[2]);
    size_t index_rank = 1;  // of a mask; indices are broadcast
    for (const size_t index : indices)
        if (l.graph().values[index].is_tensor && c10::isIntegralType(l.graph().values[index].type, false))
            index_rank = std::max(index_rank, l.shape(index).size());
    for (const size_t axis : axes) l.fix_axis(x, axis, kIndices);
    const bool vanishes = x.vanishes && values.vanishes;
    auto out = x;
    // Both as [the rest in front, indexed axes of size 1, the rest behind].
    const auto rest = look_up_form(x, axes, index_rank);
    if (values.shape.size() > rest.shape.size()) return freeze_inputs(l, node, kNotConstant);
    const size_t missing = rest.shape.size() - values.shape.size();
    for (size_t axis = missing; axis < rest.shape.size(); ++axis) {
        if (axis < rest.place || axis >= rest.place + index_rank) continue;
        l.fix_axis(values, axis - missing, kIndices);
        values.shape[axis - missing] = 1;
    }
    l.broadcast({rest.x, values}, rest.shape);
    out.vanishes = vanishes;
    l.set(node.outputs[0], std::move(out));
}

torch::Tensor index_select_shape(const std::vector<c10::IValue>& arguments) {
    auto shape = arguments[0].toTensor().sizes().vec();
    shape[wrap_axis(arguments[1].toInt(), shape.size())] = arguments[2].toTensor().numel();
    return on_meta(shape, arguments[0].toTensor().scalar_type());
}

void edit_index_select(EditFinder& finder, const TracedNode& node) {
    if (const auto axis = axis_argument(finder.graph(), node, 1, finder.rank(node.inputs[0])))
        finder.renumber(node.inputs[2], node.inputs[0], *axis);
}

void edit_index(EditFinder& finder, const TracedNode& node) {
    const auto& values = finder.graph().values;
    const auto& indices = values[node.inputs[1]].elements;
    for (size_t i = 0; i < indices.size(); ++i)
        if (values[indices[i]].is_tensor) finder.renumber(indices[i], node.inputs[0], i);
}

}  // namespace

void add_indexing(std::vector<Operator>& all) {
    add(all, {.labels = index_select, .shape = index_select_shape, .edits = edit_index_select},
        {"index_select"});
    add(all, {.labels = advanced_index, .edits = edit_index}, {"index", "_unsafe_index"});
    add(all, {.labels = put}, {"index_put", "index_put_", "_index_put_impl_", "_unsafe_index_put"});
}

}  // namespace mtlprune
