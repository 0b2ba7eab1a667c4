// Operators that put tensors, or what is added to them, one after the other along an axis.
#include <algorithm>

#include "pruning/ops/families.h"

namespace mtlprune {
namespace {

/// `count` entries in front of or behind x along `axis`: as many as the network says, or as many as are
/// needed where surgery can say so.
Labelled padded(Labelling& l, Labelled x, size_t axis, int64_t count, bool in_front) {
    auto labels = l.alone(x, axis);
    const LabelsPtr added = l.graph().editable && labels ? l.fresh_axis(count) : nullptr;
    if (labels) {
        auto all = added ? *added : Labels(count, kFixedLabel);
        all.insert(in_front ? all.end() : all.begin(), labels->begin(), labels->end());
        const auto blocks = x.covering(axis)->blocks;
        x.drop(axis);
        x.arrays.push_back({{axis}, share(std::move(all)), blocks});
    }
    x.shape[axis] += count;
    return x;
}

/// Padding of the last axes, (before, after) from the last axis on; negative amounts cut.
void pad(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto amounts = l.graph().integers(node.inputs[1]);
    if (!amounts) return freeze_inputs(l, node, kNotConstant);
    const bool has_mode = node.inputs.size() > 3;
    const auto& mode = l.graph().values[node.inputs[2]].constant;
    const bool constant = !has_mode || !mode || !mode->isString() || mode->toStringRef() == "constant";
    const size_t value = node.inputs[has_mode ? 3 : 2];
    x.vanishes = x.vanishes && l.graph().number(value).value_or(0) == 0;
    for (size_t i = 0; i + 1 < amounts->size(); i += 2) {
        const size_t axis = x.shape.size() - 1 - i / 2;
        const int64_t before = (*amounts)[i], after = (*amounts)[i + 1], size = x.shape[axis];
        if (before == 0 && after == 0) continue;
        if (!constant || before < 0 || after < 0)
            l.fix_axis(x, axis, "repeats or cuts channels at its border");
        if (before < 0 || after < 0) {
            x.shape[axis] = size + before + after;
            continue;
        }
        if (before > 0) x = padded(l, x, axis, before, true);
        if (after > 0) x = padded(l, x, axis, after, false);
    }
    l.set(node.outputs[0], std::move(x));
}

/// Tensors one after the other along `axis` of the result.
Labelled concatenated(Labelling& l, const std::vector<size_t>& values, size_t axis,
                      const std::vector<int64_t>& shape) {
    std::vector<Labelled> operands;
    bool vanishes = true;
    for (const size_t value : values) {
        auto x = l.labels(value);
        if (x.shape.size() != shape.size()) continue;  // cat accepts and ignores empty vectors
        vanishes = vanishes && x.vanishes;
        operands.push_back(std::move(x));
    }
    Labels joined;
    bool labelled = false;
    std::vector<size_t> blocks;
    for (auto& x : operands) {
        const auto labels = l.alone(x, axis);
        labelled = labelled || labels;
        if (labels)
            joined.insert(joined.end(), labels->begin(), labels->end());
        else
            joined.insert(joined.end(), x.shape[axis], kFixedLabel);
        if (const auto* array = x.covering(axis))
            blocks.insert(blocks.end(), array->blocks.begin(), array->blocks.end());
        x.drop(axis);
        x.shape[axis] = 1;
    }
    auto spread = shape;
    spread[axis] = 1;
    auto out = l.broadcast(std::move(operands), spread);
    out.shape[axis] = shape[axis];
    out.vanishes = vanishes;
    if (labelled && shape[axis] > 1)
        out.arrays.push_back({{axis}, share(std::move(joined)), std::move(blocks)});
    return out;
}

void concatenate(Labelling& l, const TracedNode& node) {
    const auto& shape = l.shape(node.outputs[0]);
    const auto axis = axis_argument(l.graph(), node, 1, shape.size());
    if (!axis) return freeze_inputs(l, node, kNotConstant);
    l.set(node.outputs[0], concatenated(l, l.graph().values[node.inputs[0]].elements, *axis, shape));
}

/// vstack, hstack, dstack of tensors that have this axis.
template <size_t axis>
void concatenate_along(Labelling& l, const TracedNode& node) {
    const auto& values = l.graph().values[node.inputs[0]].elements;
    const auto& shape = l.shape(node.outputs[0]);
    const bool have_it = std::all_of(values.begin(), values.end(), [&](size_t value) {
        return l.shape(value).size() == shape.size() && shape.size() > std::max<size_t>(axis, 1);
    });
    if (!have_it) return freeze_inputs(l, node, "no coupling rule for this form of the operator");
    l.set(node.outputs[0], concatenated(l, values, axis, shape));
}

/// Equal positions of the stacked tensors may leave together: they are joined when something needs it.
void stack(Labelling& l, const TracedNode& node) {
    const auto& shape = l.shape(node.outputs[0]);
    const auto axis = axis_argument(l.graph(), node, 1, shape.size());
    if (!axis) return freeze_inputs(l, node, kNotConstant);
    const auto& values = l.graph().values[node.inputs[0]].elements;
    auto single = shape;
    single.erase(single.begin() + static_cast<int64_t>(*axis));
    std::vector<Labelled> operands;
    operands.reserve(values.size());
    for (const size_t value : values) operands.push_back(l.labels(value));
    const bool vanishes =
        std::all_of(operands.begin(), operands.end(), [](const Labelled& x) { return x.vanishes; });
    auto out = l.broadcast(std::move(operands), single);
    single.insert(single.begin() + static_cast<int64_t>(*axis), 1);
    out = l.reshape(out, single);
    out.shape = shape;
    out.vanishes = vanishes;
    l.set(node.outputs[0], std::move(out));
}

/// What is added in front of an axis and behind it may shrink like the rest.
void edit_pad(EditFinder& finder, const TracedNode& node) {
    const auto amounts = finder.graph().integers(node.inputs[1]);
    if (!amounts) return;
    const size_t out = node.outputs[0];
    for (size_t i = 0; i < amounts->size(); ++i) {
        const size_t axis = finder.rank(node.inputs[0]) - 1 - i / 2;
        const int64_t amount = (*amounts)[i], size = finder.graph().values[out].shape[axis];
        if (amount <= 0 || !finder.kept().changes(out, axis)) continue;
        const int64_t now = i % 2 == 0 ? finder.kept().count(out, axis, 0, amount)
                                       : finder.kept().count(out, axis, size - amount, size);
        if (now != amount) finder.change(1, static_cast<int64_t>(i), now);
    }
}

}  // namespace

void add_joins(std::vector<Operator>& all) {
    add(all, {.labels = concatenate}, {"cat", "concat", "concatenate"});
    add(all, {.labels = concatenate_along<0>}, {"vstack", "row_stack"});
    add(all, {.labels = concatenate_along<1>}, {"hstack", "column_stack"});
    add(all, {.labels = concatenate_along<2>}, {"dstack"});
    add(all, {.labels = stack}, {"stack"});
    add(all, {.labels = pad, .edits = edit_pad}, {"pad", "constant_pad_nd"});
}

}  // namespace mtlprune
