// Operators that take parts of an axis, or put parts together: slices, splits, indices, concatenation,
// padding.
#include <algorithm>
#include <numeric>

#include "pruning/coupling/label_propagation.h"

namespace mtlprune {
namespace {

constexpr const char* kNotConstant = "its arguments are not constants";
constexpr const char* kBound = "a bound written into the network counts these channels";
constexpr const char* kIndices = "its indices are no constants that can follow";
constexpr const char* kSelected = "selected by its number";

std::vector<int64_t> range(int64_t first, int64_t count, int64_t step = 1) {
    std::vector<int64_t> picks(count);
    for (int64_t i = 0; i < count; ++i) picks[i] = first + i * step;
    return picks;
}

/// Part of an axis. A single index is a fixed one: its axis could not lose it.
Labelled part_of(Labelling& l, Labelled x, size_t axis, const std::vector<int64_t>& picks) {
    if (picks.size() != 1) return picked(x, axis, picks);
    const auto* array = x.covering(axis);
    if (array != nullptr && array->axes.size() == 1) {
        l.freeze_range(array->labels, picks[0], picks[0] + 1, kSelected);
        x.drop(axis);
    }
    l.fix_axis(x, axis, kSelected);
    return picked(x, axis, picks);
}

/// How many channels lie before a bound (behind a negative one) must stay what it is, unless surgery can
/// write another.
void hold_bound(Labelling& l, Labelled& x, size_t axis, int64_t bound) {
    const int64_t size = x.shape[axis];
    if (l.graph().editable || x.is_fixed(axis) || bound == 0 || bound >= size || bound <= -size) return;
    l.freeze_range(l.alone(x, axis), bound > 0 ? 0 : size + bound, bound > 0 ? bound : size, kBound);
}

/// slice(x, axis, start, end, step)
void slice(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto axis = axis_argument(l, node, 1, x.shape.size());
    if (!axis) return freeze_inputs(l, node, kNotConstant);
    const int64_t count = l.shape(node.outputs[0])[*axis], size = x.shape[*axis];
    if (x.is_fixed(*axis) || count == size) {
        x.shape[*axis] = count;
        return l.set(node.outputs[0], std::move(x));
    }
    int64_t start = l.graph().integer(node.inputs[2], 0);
    const int64_t step = node.inputs.size() > 4 ? l.graph().integer(node.inputs[4], 1) : 1;
    start = std::clamp<int64_t>(start < 0 ? start + size : start, 0, size);
    if (count == 0 || start + (count - 1) * step >= size) return freeze_inputs(l, node, kNotConstant);
    if (step > 1) {
        // Blocks of `step` leave whole, so that the rest keeps its rhythm.
        if (const auto labels = l.alone(x, *axis)) {
            l.join_blocks(labels, step);
            l.freeze_range(labels, 0, start - start % step, kBound);
            if ((count - 1) * step + start < size - step) l.freeze(labels, kBound);
        }
    } else {
        hold_bound(l, x, *axis, l.graph().integer(node.inputs[2], 0));
        hold_bound(l, x, *axis, l.graph().integer(node.inputs[3], size));
    }
    l.set(node.outputs[0], part_of(l, x, *axis, range(start, count, step)));
}

/// narrow(x, axis, start, length)
void narrow(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto axis = axis_argument(l, node, 1, x.shape.size());
    const auto start = l.graph().integers(node.inputs[2]);
    if (!axis || !start) return freeze_inputs(l, node, kNotConstant);
    const int64_t first = start->front() < 0 ? start->front() + x.shape[*axis] : start->front();
    const int64_t count = l.shape(node.outputs[0])[*axis];
    if (count == x.shape[*axis]) return l.set(node.outputs[0], std::move(x));
    hold_bound(l, x, *axis, start->front());
    // The length is a number of its own.
    if (!l.graph().editable && !x.is_fixed(*axis))
        l.freeze_range(l.alone(x, *axis), first, first + count, kBound);
    l.set(node.outputs[0], part_of(l, x, *axis, range(first, count)));
}

/// select(x, axis, index) leaves the axis out.
void select(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto axis = axis_argument(l, node, 1, x.shape.size());
    const auto index = l.graph().integers(node.inputs[2]);
    if (!axis || !index) return freeze_inputs(l, node, kNotConstant);
    const int64_t at = index->front() < 0 ? index->front() + x.shape[*axis] : index->front();
    const auto* array = x.covering(*axis);
    // What lies before it must stay as it is, or the index would name another channel.
    if (array != nullptr && array->axes.size() == 1) hold_bound(l, x, *axis, index->front());
    x = part_of(l, x, *axis, {at});
    l.set(node.outputs[0], l.reshape(x, l.shape(node.outputs[0])));
}

/// Sizes written out, one per piece, can follow each on its own.
bool sizes_follow(const TracedGraph& graph, const TracedNode& node) {
    const auto& sizes = graph.values[node.inputs[1]];
    return graph.editable && (!sizes.elements.empty() || (sizes.constant && sizes.constant->isIntList()));
}

/// Pieces of an axis, in order. Equal pieces lose the same positions: their sizes then follow wherever they
/// come from.
void pieces(Labelling& l, const TracedNode& node, size_t axis_input) {
    auto x = l.labels(node.inputs[0]);
    const auto axis =
        node.inputs.size() > axis_input ? axis_argument(l, node, axis_input, x.shape.size()) : 0;
    const auto outputs = l.graph().tensor_outputs(node);
    if (!axis || outputs.empty()) return freeze_inputs(l, node, kNotConstant);
    const int64_t first_size = l.shape(outputs[0])[*axis];
    const bool equal = std::all_of(outputs.begin(), outputs.end(),
                                   [&](size_t output) { return l.shape(output)[*axis] == first_size; });
    if (equal && outputs.size() > 1 && first_size > 1)
        l.join_periodic(l.alone(x, *axis), first_size);
    else if (outputs.size() > 1 && !sizes_follow(l.graph(), node))
        l.fix_axis(x, *axis, "is split into pieces of different sizes");
    int64_t start = 0;
    for (const size_t output : outputs) {
        const int64_t count = l.shape(output)[*axis];
        l.set(output, part_of(l, x, *axis, range(start, count)));
        start += count;
    }
}

void split(Labelling& l, const TracedNode& node) {
    pieces(l, node, 2);
}

void unbind(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto axis = node.inputs.size() > 1 ? axis_argument(l, node, 1, x.shape.size()) : 0;
    if (!axis) return freeze_inputs(l, node, kNotConstant);
    l.fix_axis(x, *axis, kSelected);
    for (const size_t output : l.graph().tensor_outputs(node))
        l.set(output, l.reshape(picked(x, *axis, {0}), l.shape(output)));
}

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
    const auto axis = axis_argument(l, node, 1, l.shape(node.inputs[0]).size());
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

/// unfold(x, axis, size, step): windows of one axis; their entries become a new last axis.
void windows(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto axis = axis_argument(l, node, 1, x.shape.size());
    if (!axis) return freeze_inputs(l, node, kNotConstant);
    l.fix_axis(x, *axis, "slides over this axis");
    x.shape = l.shape(node.outputs[0]);
    l.set(node.outputs[0], std::move(x));
}

void flip(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto axes = l.graph().integers(node.inputs[1]);
    if (!axes) return freeze_inputs(l, node, kNotConstant);
    for (const int64_t named : *axes) {
        const size_t axis = wrap_axis(named, x.shape.size());
        x = picked(x, axis, range(x.shape[axis] - 1, x.shape[axis], -1));
    }
    l.set(node.outputs[0], std::move(x));
}

/// roll(x, shifts, axes): the last `shift` channels come first.
void roll(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto shifts = l.graph().integers(node.inputs[1]), axes = l.graph().integers(node.inputs[2]);
    if (!shifts || !axes || shifts->size() != axes->size()) return freeze_inputs(l, node, kNotConstant);
    for (size_t i = 0; i < axes->size(); ++i) {
        const size_t axis = wrap_axis((*axes)[i], x.shape.size());
        const int64_t size = x.shape[axis], shift = (((*shifts)[i] % size) + size) % size;
        if (x.is_fixed(axis) || shift == 0) continue;
        const auto labels = l.alone(x, axis);
        if (!l.graph().editable) {
            const bool back = (*shifts)[i] < 0;  // what a negative shift counts are the first channels
            l.freeze_range(labels, back ? 0 : size - shift, back ? size - shift : size, kBound);
        }
        auto picks = range(size - shift, shift);
        const auto rest = range(0, size - shift);
        picks.insert(picks.end(), rest.begin(), rest.end());
        x = picked(x, axis, picks);
    }
    l.set(node.outputs[0], std::move(x));
}

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
    const auto axis = axis_argument(l, node, 1, shape.size());
    if (!axis) return freeze_inputs(l, node, kNotConstant);
    l.set(node.outputs[0], concatenated(l, l.graph().values[node.inputs[0]].elements, *axis, shape));
}

/// Equal positions of the stacked tensors may leave together: they are joined when something needs it.
void stack(Labelling& l, const TracedNode& node) {
    const auto& shape = l.shape(node.outputs[0]);
    const auto axis = axis_argument(l, node, 1, shape.size());
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

/// First half times sigmoid of the second.
void glu(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto axis = axis_argument(l, node, 1, x.shape.size());
    if (!axis) return freeze_inputs(l, node, kNotConstant);
    const int64_t half = x.shape[*axis] / 2;
    l.join_periodic(l.alone(x, *axis), half);
    l.set(node.outputs[0], part_of(l, x, *axis, range(0, half)));
}

}  // namespace

void add_selection_rules(RuleTable& rules) {
    add_rules(rules, slice, {"slice"});
    add_rules(rules, narrow, {"narrow"});
    add_rules(rules, select, {"select"});
    add_rules(rules, split,
              {"split", "split_with_sizes", "chunk", "tensor_split", "unsafe_chunk", "unsafe_split"});
    add_rules(rules, unbind, {"unbind"});
    add_rules(rules, index_select, {"index_select"});
    add_rules(rules, advanced_index, {"index"});
    add_rules(rules, windows, {"unfold"});
    add_rules(rules, flip, {"flip"});
    add_rules(rules, roll, {"roll"});
    add_rules(rules, pad, {"pad", "constant_pad_nd"});
    add_rules(rules, concatenate, {"cat", "concat", "concatenate"});
    add_rules(rules, stack, {"stack"});
    add_rules(rules, glu, {"glu"});
}

}  // namespace mtlprune
