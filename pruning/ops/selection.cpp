// Operators that take parts of an axis, or change the order of its entries: slices, splits, windows, flips.
#include <algorithm>

#include "pruning/ops/families.h"

namespace mtlprune {
namespace {

constexpr const char* kVaries = "is cut where the size of an input says";
constexpr const char* kBound = "a bound written into the network counts these channels";

/// How many channels lie before a bound (behind a negative one) must stay what it is, unless surgery can
/// write another.
void hold_bound(Labelling& l, Labelled& x, size_t axis, int64_t bound) {
    const int64_t size = x.shape[axis];
    if (l.graph().editable || x.is_fixed(axis) || bound == 0 || bound >= size || bound <= -size) return;
    l.freeze_range(l.alone(x, axis), bound > 0 ? 0 : size + bound, bound > 0 ? bound : size, kBound);
}

/// The argument is a position computed from sizes that no channels decide: with other inputs it is another,
/// so that what these inputs do not reach may be read.
bool bound_varies(Labelling& l, const TracedNode& node, size_t argument) {
    const auto& from = l.graph().values[node.inputs[argument]].computed_from;
    return std::any_of(from.begin(), from.end(),
                       [&](const auto& place) { return l.labels(place.first).is_fixed(place.second); });
}

/// slice(x, axis, start, end, step)
void slice(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto axis = axis_argument(l.graph(), node, 1, x.shape.size());
    if (!axis) return freeze_inputs(l, node, kNotConstant);
    const int64_t count = l.shape(node.outputs[0])[*axis], size = x.shape[*axis];
    if (bound_varies(l, node, 2) || bound_varies(l, node, 3)) l.fix_axis(x, *axis, kVaries);
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
    const auto axis = axis_argument(l.graph(), node, 1, x.shape.size());
    const auto start = l.graph().integers(node.inputs[2]);
    if (!axis || !start) return freeze_inputs(l, node, kNotConstant);
    const int64_t first = start->front() < 0 ? start->front() + x.shape[*axis] : start->front();
    const int64_t count = l.shape(node.outputs[0])[*axis];
    if (bound_varies(l, node, 2) || bound_varies(l, node, 3)) l.fix_axis(x, *axis, kVaries);
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
    const auto axis = axis_argument(l.graph(), node, 1, x.shape.size());
    const auto index = l.graph().integers(node.inputs[2]);
    if (!axis || !index) return freeze_inputs(l, node, kNotConstant);
    const int64_t at = index->front() < 0 ? index->front() + x.shape[*axis] : index->front();
    if (bound_varies(l, node, 2)) l.fix_axis(x, *axis, kVaries);
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
        node.inputs.size() > axis_input ? axis_argument(l.graph(), node, axis_input, x.shape.size()) : 0;
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
    const auto axis = node.inputs.size() > 1 ? axis_argument(l.graph(), node, 1, x.shape.size()) : 0;
    if (!axis) return freeze_inputs(l, node, kNotConstant);
    l.fix_axis(x, *axis, kSelected);
    for (const size_t output : l.graph().tensor_outputs(node))
        l.set(output, l.reshape(picked(x, *axis, {0}), l.shape(output)));
}

/// unfold(x, axis, size, step): windows of one axis; their entries become a new last axis.
void windows(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto axis = axis_argument(l.graph(), node, 1, x.shape.size());
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

/// First half times sigmoid of the second.
void glu(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto axis = axis_argument(l.graph(), node, 1, x.shape.size());
    if (!axis) return freeze_inputs(l, node, kNotConstant);
    const int64_t half = x.shape[*axis] / 2;
    l.join_periodic(l.alone(x, *axis), half);
    l.set(node.outputs[0], part_of(l, x, *axis, range(0, half)));
}

/// Which axis the second argument names, where the first input loses something along it.
std::optional<size_t> shrinking_axis(const EditFinder& finder, const TracedNode& node) {
    const auto axis = axis_argument(finder.graph(), node, 1, finder.rank(node.inputs[0]));
    return axis && finder.kept().changes(node.inputs[0], *axis) ? axis : std::nullopt;
}

void edit_slice(EditFinder& finder, const TracedNode& node) {
    const auto axis = shrinking_axis(finder, node);
    if (!axis || finder.graph().integer(node.inputs[4], 1) != 1) return;
    finder.move_argument(node, 2, *axis);
    finder.move_argument(node, 3, *axis);
}

void edit_narrow(EditFinder& finder, const TracedNode& node) {
    const auto axis = shrinking_axis(finder, node);
    if (!axis) return;
    finder.move_argument(node, 2, *axis);
    finder.change(3, -1, finder.kept().size(node.outputs[0], *axis));
}

void edit_select(EditFinder& finder, const TracedNode& node) {
    if (const auto axis = shrinking_axis(finder, node)) finder.move_argument(node, 2, *axis);
}

/// split(x, size or sizes, axis)
void edit_split(EditFinder& finder, const TracedNode& node) {
    const auto axis = axis_argument(finder.graph(), node, 2, finder.rank(node.inputs[0]));
    const auto outputs = finder.graph().tensor_outputs(node);
    if (!axis || outputs.empty()) return;
    const auto& sizes = finder.graph().values[node.inputs[1]];
    const bool single = sizes.constant && sizes.constant->isInt();
    for (size_t i = 0; i < (single ? 1 : outputs.size()); ++i)
        if (finder.kept().changes(outputs[i], *axis))
            finder.change(1, single ? -1 : static_cast<int64_t>(i), finder.kept().size(outputs[i], *axis));
}

void edit_roll(EditFinder& finder, const TracedNode& node) {
    const auto& graph = finder.graph();
    const auto shifts = graph.integers(node.inputs[1]), axes = graph.integers(node.inputs[2]);
    if (!shifts || !axes) return;
    const auto& given = graph.values[node.inputs[1]].constant;
    const bool is_list = !given || given->isIntList();
    for (size_t i = 0; i < shifts->size() && i < axes->size(); ++i) {
        const size_t axis = wrap_axis((*axes)[i], finder.rank(node.inputs[0]));
        const int64_t size = graph.values[node.inputs[0]].shape[axis], shift = (*shifts)[i] % size;
        if (!finder.kept().changes(node.inputs[0], axis) || shift == 0) continue;
        const int64_t now = shift > 0 ? finder.kept().count(node.inputs[0], axis, size - shift, size)
                                      : -finder.kept().count(node.inputs[0], axis, 0, -shift);
        finder.change(1, is_list ? static_cast<int64_t>(i) : -1, now);
    }
}

}  // namespace

void add_selections(std::vector<Operator>& all) {
    add(all, {.labels = slice, .edits = edit_slice, .memory = Memory::view}, {"slice"});
    add(all, {.labels = narrow, .edits = edit_narrow, .memory = Memory::view}, {"narrow"});
    add(all, {.labels = select, .edits = edit_select, .memory = Memory::view}, {"select"});
    add(all, {.labels = split, .edits = edit_split, .memory = Memory::view},
        {"split", "split_with_sizes", "unsafe_split", "unsafe_split_with_sizes"});
    add(all, {.labels = split, .memory = Memory::view}, {"chunk", "tensor_split", "unsafe_chunk"});
    add(all, {.labels = unbind, .memory = Memory::view}, {"unbind"});
    add(all, {.labels = windows, .memory = Memory::view}, {"unfold"});
    add(all, {.labels = flip, .shape = shape_of_first}, {"flip"});
    add(all, {.labels = roll, .shape = shape_of_first, .edits = edit_roll}, {"roll"});
    add(all, {.labels = glu}, {"glu"});
}

}  // namespace mtlprune
