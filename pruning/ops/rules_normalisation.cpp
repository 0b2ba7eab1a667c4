// Normalisations, and other operators with one parameter per channel.
#include <algorithm>

#include "pruning/coupling/label_propagation.h"

namespace mtlprune {
namespace {

/// Zeros become the norm's bias, which leaves with entries of the axes from `first` to `last` alone. Weights
/// that are standardised are taken without what leaves.
bool norm_vanishes(const Labelling& l, const TracedNode& node, const Labelled& x, size_t weight, size_t first,
                   size_t last) {
    const bool own = std::all_of(x.arrays.begin(), x.arrays.end(), [&](const LabelArray& array) {
        return std::all_of(array.axes.begin(), array.axes.end(),
                           [&](size_t axis) { return axis >= first && axis <= last; });
    });
    return (own || l.is_weight(node.inputs[0])) && l.is_tensor(node, weight) &&
           l.vanishes(node.inputs[weight]) &&
           (!l.is_tensor(node, weight + 1) || l.vanishes(node.inputs[weight + 1]));
}

/// Statistics over axes other than 1, whose entries can leave only where that is what fewer of them mean: in
/// a weight that is standardised (as layer norms, see there).
void norm_over_axes(Labelling& l, const TracedNode& node, Labelled& x) {
    const bool is_standardised_weight = node.kind == "aten::batch_norm" && l.is_weight(node.inputs[0]);
    for (size_t axis = 0; axis < x.shape.size(); ++axis) {
        const bool is_own = axis == 1 || (axis == 0 && node.kind == "aten::instance_norm");
        if (is_own || x.is_fixed(axis)) continue;
        if (is_standardised_weight)
            l.mark_cross_channel(l.alone(x, axis));
        else
            l.fix_axis(x, axis, "statistics run over this axis");
    }
}

/// Batch and instance norm: weight, bias and running statistics [C] belong to axis 1.
void channel_norm(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto labels = l.alone(x, 1);
    if (computes_statistics(l.graph(), node)) norm_over_axes(l, node, x);
    for (size_t input = 1; input <= 4; ++input)
        if (l.is_tensor(node, input)) l.attach(node.inputs[input], 0, labels, Role::channelwise);
    x.vanishes = norm_vanishes(l, node, x, 1, 1, 1);
    for (const size_t output : l.graph().tensor_outputs(node))
        if (l.shape(output) == x.shape) l.set(output, x);
}

/// layer_norm(x, normalized_shape, weight, bias) and rms_norm(x, normalized_shape, weight): statistics over
/// the last axes. The value of every channel depends on the others, so removal differs from zeroing; it is
/// what such a network means by having fewer channels.
void layer_norm(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto normalised = l.graph().integers(node.inputs[1]);
    if (!normalised) return freeze_inputs(l, node, "its arguments are not constants");
    const size_t first = x.shape.size() - normalised->size();
    for (size_t axis = first; axis < x.shape.size(); ++axis) l.mark_cross_channel(l.alone(x, axis));
    x.vanishes = norm_vanishes(l, node, x, 2, first, x.shape.size() - 1);
    for (size_t input = 2; input <= 3; ++input) {
        if (!l.is_tensor(node, input)) continue;
        for (size_t axis = first; axis < x.shape.size(); ++axis)
            l.attach(node.inputs[input], axis - first, l.alone(x, axis), Role::channelwise);
    }
    for (const size_t output : l.graph().tensor_outputs(node))
        if (l.shape(output) == x.shape) l.set(output, x);
}

/// group_norm(x, groups, weight, bias): the number of groups stays, equal positions of all groups leave.
void group_norm(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const int64_t groups = l.graph().integer(node.inputs[1], 1);
    const auto labels = l.alone(x, 1);
    for (size_t axis = 2; axis < x.shape.size(); ++axis) l.fix_axis(x, axis, "statistics run over this axis");
    if (labels && x.shape[1] == groups)
        l.freeze(labels, "the only channel of its group");
    else
        l.join_periodic(labels, x.shape[1] / groups);
    l.mark_cross_channel(labels);
    for (size_t input = 2; input <= 3; ++input)
        if (l.is_tensor(node, input)) l.attach(node.inputs[input], 0, labels, Role::channelwise);
    x.vanishes = norm_vanishes(l, node, x, 2, 1, 1);
    l.set(node.outputs[0], std::move(x));
}

/// weight [C] (or [1]) belongs to axis 1.
void prelu(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const bool per_channel =
        x.shape.size() > 1 && l.shape(node.inputs[1]).size() == 1 && l.shape(node.inputs[1])[0] > 1;
    if (per_channel) {
        l.attach(node.inputs[1], 0, l.alone(x, 1), Role::channelwise);
        return l.set(node.outputs[0], std::move(x));
    }
    if (l.shape(node.inputs[1]).size() > 1) {  // newer versions broadcast the weight first
        const bool vanishes = x.vanishes;
        for (size_t dim = 0; dim < l.shape(node.inputs[1]).size(); ++dim)
            l.mark(node.inputs[1], dim, Role::channelwise);
        x = l.broadcast({x, l.labels(node.inputs[1])}, x.shape);
        x.vanishes = vanishes;
    }
    l.set(node.outputs[0], std::move(x));
}

/// _weight_norm(v, g, dim): g v / |v| with one norm per index of `dim`, or one of all of v where it is -1.
/// Removing entries of v along its other axes would change the norms of those that stay.
void weight_norm(Labelling& l, const TracedNode& node) {
    auto v = l.labels(node.inputs[0]);
    const auto dim = l.graph().integers(node.inputs[2]);
    if (!dim) return freeze_inputs(l, node, "its arguments are not constants");
    for (size_t axis = 0; axis < v.shape.size(); ++axis)
        if (static_cast<int64_t>(axis) != dim->front())
            l.fix_axis(v, axis, "the norm of the weight runs over this axis");
    auto out = l.broadcast({v, l.labels(node.inputs[1])}, v.shape);
    out.vanishes = true;
    l.set(node.outputs[0], std::move(out));
}

/// embedding(weight, indices): rows are the vocabulary, columns the channels.
void embedding(Labelling& l, const TracedNode& node) {
    const auto& shape = l.shape(node.outputs[0]);
    Labelled out{shape, {}, l.vanishes(node.inputs[0])};
    l.attach(node.inputs[0], 0, nullptr, Role::input);
    const auto labels = l.attach(node.inputs[0], 1, l.fresh_axis(shape.back()), Role::output);
    if (labels) out.arrays.push_back({{shape.size() - 1}, labels, {}});
    l.set(node.outputs[0], std::move(out));
}

}  // namespace

void add_normalisation_rules(RuleTable& rules) {
    add_rules(rules, channel_norm, {"batch_norm", "instance_norm", "native_batch_norm", "cudnn_batch_norm"});
    add_rules(rules, layer_norm, {"layer_norm", "native_layer_norm", "rms_norm"});
    add_rules(rules, group_norm, {"group_norm"});
    add_rules(rules, prelu, {"prelu", "_prelu_kernel"});
    add_rules(rules, weight_norm, {"_weight_norm", "_weight_norm_interface"});
    add_rules(rules, embedding, {"embedding"});
}

}  // namespace mtlprune
