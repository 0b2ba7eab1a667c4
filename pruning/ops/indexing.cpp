// Operators that take entries of an axis which tensors name.
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

/// Indices of any shape for some axes: those stay, and the axes of the indices take the place of the first
/// (of all others where the indexed axes are not neighbours, which puts them in front).
void look_up(Labelling& l, const TracedNode& node, const std::vector<size_t>& axes) {
    auto x = l.labels(node.inputs[0]);
    const auto& shape = l.shape(node.outputs[0]);
    for (const size_t axis : axes) l.fix_axis(x, axis, kIndices);
    const bool neighbours = axes.back() - axes.front() + 1 == axes.size();
    const size_t place = neighbours ? axes.front() : 0;
    const size_t rest = x.shape.size() - axes.size(), added = shape.size() - rest;
    std::vector<size_t> target(x.shape.size());
    for (size_t axis = 0, next = 0; axis < x.shape.size(); ++axis) {
        if (contains(axes, axis)) continue;
        target[axis] = next < place ? next : next + added;
        ++next;
    }
    for (auto& array : x.arrays)
        for (auto& axis : array.axes) axis = target[axis];
    x.shape = shape;
    l.set(node.outputs[0], std::move(x));
}

/// x[:, index]
void advanced_index(Labelling& l, const TracedNode& node) {
    const auto& indices = l.graph().values[node.inputs[1]].elements;
    std::vector<size_t> axes;
    for (size_t i = 0; i < indices.size(); ++i) {
        const auto& index = l.graph().values[indices[i]];
        if (!index.is_tensor) continue;
        if (!c10::isIntegralType(index.type, /*includeBool=*/false) || index.type == c10::ScalarType::Byte)
            return freeze_inputs(l, node, "selects by a mask");
        axes.push_back(i);
    }
    if (axes.empty()) return freeze_inputs(l, node, kNotConstant);
    if (axes.size() == 1 && l.shape(indices[axes[0]]).size() == 1)
        return select_entries(l, node, axes[0], indices[axes[0]]);
    look_up(l, node, axes);
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
    add(all, {.labels = advanced_index, .edits = edit_index}, {"index"});
}

}  // namespace mtlprune
