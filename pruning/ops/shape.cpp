// Operators that move, merge, split or repeat axes.
#include <c10/util/accumulate.h>

#include <algorithm>
#include <numeric>

#include "pruning/ops/families.h"

namespace mtlprune {
namespace {

void reshape(Labelling& l, const TracedNode& node) {
    l.set(node.outputs[0], l.reshape(l.labels(node.inputs[0]), l.shape(node.outputs[0])));
}

std::vector<int64_t> contiguous_strides(const std::vector<int64_t>& sizes) {
    std::vector<int64_t> strides(sizes.size(), 1);
    for (size_t axis = sizes.size(); axis-- > 1;) strides[axis - 1] = strides[axis] * sizes[axis];
    return strides;
}

/// _reshape_alias(x, sizes, strides)
void reshape_alias(Labelling& l, const TracedNode& node) {
    const auto& shape = l.shape(node.outputs[0]);
    if (l.graph().editable && l.graph().integers(node.inputs[2]) != contiguous_strides(shape))
        return freeze_inputs(l, node, "its strides are not those of contiguous memory");
    reshape(l, node);
}

/// The operator itself does not look whether the memory has as many elements.
torch::Tensor reshape_alias_shape(const std::vector<c10::IValue>& arguments) {
    const auto x = arguments[0].toTensor();
    const auto sizes = arguments[1].toIntVector();
    TORCH_CHECK(c10::multiply_integers(sizes) == x.numel(), "shape '", sizes,
                "' is invalid for input of size ", x.numel());
    return on_meta(sizes, x.scalar_type());
}

/// Axes that grow from size 1 hold copies: how many there are follows the values they are combined with.
void expand(Labelling& l, const TracedNode& node) {
    const auto& x = l.labels(node.inputs[0]);
    const auto& shape = l.shape(node.outputs[0]);
    const size_t added = shape.size() - x.shape.size();
    auto out = l.broadcast({x}, shape);
    for (size_t axis = 0; axis < shape.size(); ++axis) {
        const bool grown = shape[axis] > 1 && (axis < added || x.shape[axis - added] == 1);
        if (auto labels = grown ? l.copies_axis(shape[axis]) : nullptr)
            out.arrays.push_back({{axis}, labels, {}});
    }
    out.vanishes = x.vanishes;
    l.set(node.outputs[0], std::move(out));
}

void reorder(Labelling& l, const TracedNode& node, const std::vector<size_t>& order) {
    l.set(node.outputs[0], permuted(l.labels(node.inputs[0]), order));
}

void permute(Labelling& l, const TracedNode& node) {
    const size_t rank = l.shape(node.inputs[0]).size();
    const auto named = l.graph().integers(node.inputs[1]);
    if (!named || named->size() != rank) return freeze_inputs(l, node, kNotConstant);
    std::vector<size_t> order;
    for (const int64_t axis : *named) order.push_back(wrap_axis(axis, rank));
    reorder(l, node, order);
}

void transpose(Labelling& l, const TracedNode& node) {
    const size_t rank = l.shape(node.inputs[0]).size();
    std::vector<size_t> order(rank);
    std::iota(order.begin(), order.end(), size_t{0});
    if (rank >= 2) {
        const bool matrix = node.inputs.size() < 3;
        const auto a = matrix ? rank - 2 : axis_argument(l.graph(), node, 1, rank);
        const auto b = matrix ? rank - 1 : axis_argument(l.graph(), node, 2, rank);
        if (!a || !b) return freeze_inputs(l, node, kNotConstant);
        std::swap(order[*a], order[*b]);
    }
    reorder(l, node, order);
}

void reverse_axes(Labelling& l, const TracedNode& node) {
    std::vector<size_t> order(l.shape(node.inputs[0]).size());
    std::iota(order.rbegin(), order.rend(), size_t{0});
    reorder(l, node, order);
}

/// movedim(x, source, destination)
void move_axes(Labelling& l, const TracedNode& node) {
    const size_t rank = l.shape(node.inputs[0]).size();
    const auto from = l.graph().integers(node.inputs[1]), to = l.graph().integers(node.inputs[2]);
    if (!from || !to || from->size() != to->size()) return freeze_inputs(l, node, kNotConstant);
    std::vector<int64_t> order(rank, -1);
    std::vector<bool> moved(rank);
    for (size_t i = 0; i < from->size(); ++i) {
        order[wrap_axis((*to)[i], rank)] = static_cast<int64_t>(wrap_axis((*from)[i], rank));
        moved[wrap_axis((*from)[i], rank)] = true;
    }
    size_t next = 0;
    for (auto& axis : order) {
        while (next < rank && moved[next]) ++next;
        if (axis < 0) axis = static_cast<int64_t>(next++);
    }
    reorder(l, node, {order.begin(), order.end()});
}

/// repeat(x, times per axis): the axis holds whole copies, one after the other.
void repeat(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto& shape = l.shape(node.outputs[0]);
    const size_t added = shape.size() - x.shape.size();
    x.shape.insert(x.shape.begin(), added, 1);
    for (auto& array : x.arrays)
        for (auto& axis : array.axes) axis += added;
    for (size_t axis = 0; axis < shape.size(); ++axis) {
        if (x.shape[axis] == shape[axis]) continue;
        std::vector<int64_t> picks(shape[axis]);
        for (int64_t i = 0; i < shape[axis]; ++i) picks[i] = i % x.shape[axis];
        const bool grown = x.shape[axis] == 1;
        x = picked(x, axis, picks);
        if (auto labels = grown ? l.copies_axis(shape[axis]) : nullptr)
            x.arrays.push_back({{axis}, labels, {}});
    }
    l.set(node.outputs[0], std::move(x));
}

/// repeat_interleave(x, times, dim) with a number of times.
void repeat_interleave(Labelling& l, const TracedNode& node) {
    const auto& x = l.labels(node.inputs[0]);
    const auto axis = axis_argument(l.graph(), node, 2, x.shape.size());
    const int64_t times = l.graph().integer(node.inputs[1], 0);
    if (!axis || times < 1) return freeze_inputs(l, node, kNotConstant);
    std::vector<int64_t> picks(x.shape[*axis] * times);
    for (size_t i = 0; i < picks.size(); ++i) picks[i] = static_cast<int64_t>(i) / times;
    l.set(node.outputs[0], picked(x, *axis, picks));
}

/// [N, C r r, H, W] -> [N, C, H r, W r]: the channels of a block of r * r leave together.
void pixel_shuffle(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const int64_t factor = l.graph().integer(node.inputs[1], 0);
    const size_t channel = x.shape.size() - 3, rows = x.shape.size() - 2, columns = x.shape.size() - 1;
    l.fix_axis(x, rows, "is interleaved with channels");
    l.fix_axis(x, columns, "is interleaved with channels");
    l.join_blocks(l.alone(x, channel), factor * factor);
    const int64_t channels = x.shape[channel] / (factor * factor);
    std::vector<int64_t> picks(channels);
    for (int64_t c = 0; c < channels; ++c) picks[c] = c * factor * factor;
    if (channels == 1) l.fix_axis(x, channel, "the only channel of its axis");
    x = picked(x, channel, picks);
    x.shape = l.shape(node.outputs[0]);
    l.set(node.outputs[0], std::move(x));
}

/// [N, C, H r, W r] -> [N, C r r, H, W]
void pixel_unshuffle(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const int64_t factor = l.graph().integer(node.inputs[1], 0);
    const size_t channel = x.shape.size() - 3;
    for (size_t axis = channel + 1; axis < x.shape.size(); ++axis) l.fix_axis(x, axis, "becomes channels");
    std::vector<int64_t> picks(x.shape[channel] * factor * factor);
    for (size_t i = 0; i < picks.size(); ++i) picks[i] = static_cast<int64_t>(i) / (factor * factor);
    x = picked(x, channel, picks);
    x.shape = l.shape(node.outputs[0]);
    l.set(node.outputs[0], std::move(x));
}

/// As the view [g, C/g], transpose and view back that it is.
void channel_shuffle(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const int64_t groups = l.graph().integer(node.inputs[1], 1), size = x.shape[1] / groups;
    l.join_periodic(l.alone(x, 1), size);
    std::vector<int64_t> picks(x.shape[1]);
    for (int64_t i = 0; i < x.shape[1]; ++i) picks[i] = (i % groups) * size + i / groups;
    l.set(node.outputs[0], picked(x, 1, picks));
}

/// [N, C, H, W] -> [N, C k, L]: every channel becomes the k positions of its windows.
void unfold_windows(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    if (x.shape.size() != 4) return freeze_inputs(l, node, "no coupling rule for this form of the operator");
    l.fix_axis(x, 2, "slides over this axis");
    l.fix_axis(x, 3, "slides over this axis");
    const auto& shape = l.shape(node.outputs[0]);
    const int64_t positions = shape[1] / x.shape[1];
    std::vector<int64_t> picks(shape[1]);
    for (int64_t i = 0; i < shape[1]; ++i) picks[i] = i / positions;
    x = picked(x, 1, picks);
    x.shape = shape;
    l.set(node.outputs[0], std::move(x));
}

/// [N, C k, L] -> [N, C, H, W]: the k positions of a channel's windows are put back and added up.
void fold_windows(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto& shape = l.shape(node.outputs[0]);
    if (x.shape.size() != 3) return freeze_inputs(l, node, "no coupling rule for this form of the operator");
    l.fix_axis(x, 2, "slides over this axis");
    const int64_t positions = x.shape[1] / shape[1];
    l.join_blocks(l.alone(x, 1), positions);
    if (shape[1] == 1) l.fix_axis(x, 1, "the only channel of its axis");
    x = picked(x, 1, range(0, shape[1], positions));
    x.shape = shape;
    l.set(node.outputs[0], std::move(x));
}

/// repeat(x, times): copies of one entry are as many as the values they are combined with.
void edit_repeat(EditFinder& finder, const TracedNode& node) {
    const auto times = finder.graph().integers(node.inputs[1]);
    const auto &before = finder.graph().values[node.inputs[0]].shape,
               &after = finder.graph().values[node.outputs[0]].shape;
    if (!times || times->size() > after.size()) return;
    const size_t first = after.size() - times->size(), added = after.size() - before.size();
    for (size_t axis = first; axis < after.size(); ++axis)
        if ((axis < added || before[axis - added] == 1) && finder.kept().changes(node.outputs[0], axis))
            finder.change(1, static_cast<int64_t>(axis - first), finder.kept().size(node.outputs[0], axis));
}

/// unflatten(x, axis, sizes)
void edit_unflatten(EditFinder& finder, const TracedNode& node) {
    if (const auto axis = axis_argument(finder.graph(), node, 1, finder.rank(node.inputs[0])))
        finder.change_sizes(node, 2, node.outputs[0], *axis);
}

void edit_reshape_alias(EditFinder& finder, const TracedNode& node) {
    const size_t value = node.outputs[0];
    finder.change_sizes(node, 1, value, 0);
    std::vector<int64_t> sizes;
    for (size_t axis = 0; axis < finder.rank(value); ++axis) sizes.push_back(finder.kept().size(value, axis));
    const auto now = contiguous_strides(sizes), old = contiguous_strides(finder.graph().values[value].shape);
    for (size_t axis = 0; axis < now.size(); ++axis)
        if (now[axis] != old[axis]) finder.change(2, static_cast<int64_t>(axis), now[axis]);
}

void add_views(std::vector<Operator>& all) {
    const Operator view{.labels = reshape, .memory = Memory::view};
    add(all, view,
        {"flatten", "squeeze", "squeeze_", "unsqueeze", "unsqueeze_", "view_as", "reshape_as", "ravel",
         "atleast_2d", "atleast_3d"});
    add(all, {.labels = reshape, .edits = edit_sizes<1>, .memory = Memory::view},
        {"view", "_unsafe_view", "reshape"});
    add(all, {.labels = reshape, .edits = edit_unflatten, .memory = Memory::view}, {"unflatten"});
    add(all,
        {.labels = reshape_alias,
         .shape = reshape_alias_shape,
         .edits = edit_reshape_alias,
         .memory = Memory::view},
        {"_reshape_alias"});
    add(all, {.labels = expand, .edits = edit_sizes<1>, .memory = Memory::view}, {"expand", "broadcast_to"});
    add(all, {.labels = expand, .memory = Memory::view}, {"expand_as"});
}

}  // namespace

void add_shape_changes(std::vector<Operator>& all) {
    add_views(all);
    add(all, {.labels = permute, .memory = Memory::view}, {"permute"});
    add(all, {.labels = transpose, .memory = Memory::view},
        {"transpose", "transpose_", "t", "t_", "swapaxes", "swapdims", "mT", "adjoint"});
    add(all, {.labels = reverse_axes, .memory = Memory::view}, {"numpy_T"});
    add(all, {.labels = move_axes, .memory = Memory::view}, {"movedim", "moveaxis"});
    add(all, {.labels = repeat, .edits = edit_repeat}, {"repeat", "tile"});
    add(all, {.labels = repeat_interleave}, {"repeat_interleave"});
    add(all, {.labels = pixel_shuffle}, {"pixel_shuffle"});
    add(all, {.labels = pixel_unshuffle}, {"pixel_unshuffle"});
    add(all, {.labels = channel_shuffle, .shape = shape_of_first},
        {"channel_shuffle", "native_channel_shuffle"});
    add(all, {.labels = unfold_windows}, {"im2col"});
    add(all, {.labels = fold_windows}, {"col2im"});
}

}  // namespace mtlprune
