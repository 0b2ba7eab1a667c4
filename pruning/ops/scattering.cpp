// Operators that take or put entries along one axis, everywhere else position by position.
#include <algorithm>

#include "pruning/ops/families.h"

namespace mtlprune {
namespace {

constexpr const char* kMoved = "entries move along this axis";

/// Operands of one rank: joined along the axes where all have one size (those of `shape`), or size 1 where
/// `broadcasts`; fixed along the others and along `axis`.
Labelled beside(Labelling& l, std::vector<Labelled> operands, size_t axis, const std::vector<int64_t>& shape,
                bool broadcasts = false) {
    auto passed = shape;
    for (size_t other = 0; other < shape.size(); ++other) {
        const bool equal = std::all_of(operands.begin(), operands.end(), [&](const Labelled& x) {
            return x.shape[other] == shape[other] || (broadcasts && x.shape[other] == 1);
        });
        if (equal && other != axis) continue;
        passed[other] = 1;
        for (auto& x : operands) {
            l.fix_axis(x, other, other == axis ? kMoved : "some entries of this axis are left out");
            x.shape[other] = 1;
        }
    }
    auto out = l.broadcast(std::move(operands), passed);
    out.shape = shape;
    return out;
}

/// Axis `argument` of tensors of this rank; a value without axes counts as one with a single one.
std::optional<size_t> moving_axis(Labelling& l, const TracedNode& node, size_t argument) {
    return axis_argument(l.graph(), node, argument, l.shape(node.inputs[0]).size());
}

/// gather(x, axis, index)
void gather_entries(Labelling& l, const TracedNode& node) {
    const auto axis = moving_axis(l, node, 1);
    const auto &x = l.labels(node.inputs[0]), &index = l.labels(node.inputs[2]);
    if (!axis || x.shape.size() != index.shape.size()) return freeze_inputs(l, node, kNotConstant);
    const bool vanishes = x.vanishes;
    auto out = beside(l, {x, index}, *axis, l.shape(node.outputs[0]));
    out.vanishes = vanishes;
    l.set(node.outputs[0], std::move(out));
}

/// take_along_dim(x, index, axis)
void take_along(Labelling& l, const TracedNode& node) {
    const auto axis = moving_axis(l, node, 2);
    const auto &x = l.labels(node.inputs[0]), &index = l.labels(node.inputs[1]);
    if (!axis || x.shape.size() != index.shape.size()) return freeze_inputs(l, node, kNotConstant);
    const bool vanishes = x.vanishes;
    auto out = beside(l, {x, index}, *axis, l.shape(node.outputs[0]), /*broadcasts=*/true);
    out.vanishes = vanishes;
    l.set(node.outputs[0], std::move(out));
}

bool is_zero(const TracedGraph& graph, size_t value) {
    return graph.number(value) == 0.0;
}

/// scatter(x, axis, index, source, ...) in all its forms; the source may be a number.
void scatter_entries(Labelling& l, const TracedNode& node) {
    const auto axis = moving_axis(l, node, 1);
    const bool has_source = l.is_tensor(node, 3);
    std::vector<Labelled> operands = {l.labels(node.inputs[0]), l.labels(node.inputs[2])};
    if (has_source) operands.push_back(l.labels(node.inputs[3]));
    const size_t rank = operands[0].shape.size();
    const bool fits = std::all_of(operands.begin(), operands.end(),
                                  [&](const Labelled& x) { return x.shape.size() == rank; });
    if (!axis || !fits) return freeze_inputs(l, node, kNotConstant);
    const bool vanishes =
        operands[0].vanishes && (has_source ? operands[2].vanishes : is_zero(l.graph(), node.inputs[3]));
    auto out = beside(l, std::move(operands), *axis, l.shape(node.outputs[0]));
    out.vanishes = vanishes;
    l.set(node.outputs[0], std::move(out));
}

/// index_add(x, axis, index, source, ...): whole slices, named by a vector.
void put_slices(Labelling& l, const TracedNode& node) {
    const auto axis = moving_axis(l, node, 1);
    const auto &x = l.labels(node.inputs[0]), &source = l.labels(node.inputs[3]);
    if (!axis || x.shape.size() != source.shape.size()) return freeze_inputs(l, node, kNotConstant);
    const bool vanishes = x.vanishes && source.vanishes;
    auto out = beside(l, {x, source}, *axis, x.shape);
    out.vanishes = vanishes;
    l.set(node.outputs[0], std::move(out));
}

/// index_fill(x, axis, index, number)
void fill_slices(Labelling& l, const TracedNode& node) {
    const auto axis = moving_axis(l, node, 1);
    if (!axis) return freeze_inputs(l, node, kNotConstant);
    auto x = l.labels(node.inputs[0]);
    l.fix_axis(x, *axis, kMoved);
    x.vanishes = x.vanishes && is_zero(l.graph(), node.inputs[3]);
    l.set(node.outputs[0], std::move(x));
}

/// slice_scatter(x, source, axis, start, end, step), select_scatter(x, source, axis, index), whose source
/// lacks the axis.
template <bool lacks_axis>
void replace_part(Labelling& l, const TracedNode& node) {
    const auto axis = moving_axis(l, node, 2);
    if (!axis) return freeze_inputs(l, node, kNotConstant);
    const auto& x = l.labels(node.inputs[0]);
    auto source = l.labels(node.inputs[1]);
    if (lacks_axis) {
        auto shape = source.shape;
        shape.insert(shape.begin() + static_cast<int64_t>(*axis), 1);
        source = l.reshape(source, shape);
    }
    const bool vanishes = x.vanishes && source.vanishes;
    auto out = beside(l, {x, source}, *axis, x.shape);
    out.vanishes = vanishes;
    l.set(node.outputs[0], std::move(out));
}

/// masked_scatter(x, mask, source): entries of the source in order, so that only a mask that is the same for
/// all channels of the last axis keeps channels apart.
void masked_scatter(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]), mask = l.labels(node.inputs[1]), source = l.labels(node.inputs[2]);
    if (x.shape.empty() || mask.shape.empty() || source.shape.empty() || x.shape != l.shape(node.outputs[0]))
        return freeze_inputs(l, node, kNotConstant);
    const auto* copies = mask.covering(mask.shape.size() - 1);
    const bool is_same = mask.shape.back() == 1 || (copies != nullptr && l.is_unused(*copies));
    if (!is_same || source.shape.back() != x.shape.back())
        return freeze_inputs(l, node, "the mask may differ from channel to channel");
    for (auto* operand : {&x, &mask, &source})
        for (size_t axis = 0; axis + 1 < operand->shape.size(); ++axis) l.fix_axis(*operand, axis, kMoved);
    const bool vanishes = x.vanishes && source.vanishes;
    source.shape = {source.shape.back()};
    for (auto& array : source.arrays) array.axes = {0};
    auto out = l.broadcast({x, mask, source}, x.shape);
    out.vanishes = vanishes;
    l.set(node.outputs[0], std::move(out));
}

}  // namespace

void add_scatters(std::vector<Operator>& all) {
    add(all, {.labels = gather_entries}, {"gather"});
    add(all, {.labels = take_along}, {"take_along_dim"});
    add(all, {.labels = scatter_entries},
        {"scatter", "scatter_", "scatter_add", "scatter_add_", "scatter_reduce", "scatter_reduce_"});
    add(all, {.labels = put_slices},
        {"index_add", "index_add_", "index_copy", "index_copy_", "index_reduce", "index_reduce_"});
    add(all, {.labels = fill_slices}, {"index_fill", "index_fill_"});
    add(all, {.labels = replace_part<false>}, {"slice_scatter"});
    add(all, {.labels = replace_part<true>}, {"select_scatter"});
    add(all, {.labels = masked_scatter}, {"masked_scatter", "masked_scatter_"});
}

}  // namespace mtlprune
