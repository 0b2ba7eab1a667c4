// Convolutions: plain, grouped, depthwise and transposed, with weights that are stored or computed.
#include "pruning/coupling/label_propagation.h"

namespace mtlprune {
namespace {

/// Every group has the same positions left: input (q, i) goes with dim 1 index i, rows (q, j) of dim 0 over
/// all q.
LabelsPtr grouped(Labelling& l, const LabelsPtr& channels, size_t weight, int64_t groups) {
    const auto& shape = l.shape(weight);
    if (groups == 1) {
        l.attach(weight, 1, channels, Role::input);
        return l.attach(weight, 0, l.fresh_axis(shape[0]), Role::output);
    }
    const auto columns = l.attach(weight, 1, l.fresh_axis(shape[1]), Role::input);
    l.join(channels, columns ? share(tile(*columns, groups)) : nullptr, "input of a grouped convolution");
    const auto rows = l.attach(weight, 0, l.fresh_axis(shape[0]), Role::output);
    l.join_periodic(rows, shape[0] / groups);
    if (shape[0] == groups) l.freeze(rows, "the only channel of its group");
    return rows;
}

/// Dim 0 is the input side; output (q, j) carries the label of dim 1 index j.
LabelsPtr transposed(Labelling& l, const LabelsPtr& channels, size_t weight, int64_t groups) {
    const auto& shape = l.shape(weight);
    const auto rows = l.attach(weight, 0, channels, Role::input);
    if (groups > 1) l.join_periodic(rows, shape[0] / groups);
    const auto columns = l.attach(weight, 1, l.fresh_axis(shape[1]), Role::output);
    return columns && groups > 1 ? share(tile(*columns, groups)) : columns;
}

/// As depthwise; dim 0 is the input side, and dim 1 counts the output channels of each of them.
LabelsPtr depthwise_transposed(Labelling& l, const LabelsPtr& channels, size_t weight, int64_t) {
    const auto rows = l.attach(weight, 0, channels, Role::channelwise);
    const int64_t multiplier = l.shape(weight)[1];
    return rows && multiplier > 1 ? share(repeat_each(*rows, multiplier)) : rows;
}

/// Channel q of the input is all that the rows q * multiplier ... of dim 0 see; the number of groups follows.
LabelsPtr depthwise(Labelling& l, const LabelsPtr& channels, size_t weight, int64_t groups) {
    const int64_t multiplier = l.shape(weight)[0] / groups;
    const auto rows = channels && multiplier > 1 ? share(repeat_each(*channels, multiplier)) : channels;
    return l.attach(weight, 0, rows, Role::channelwise);
}

/// Whether every position along the n-th spatial axis is computed from that position alone.
bool is_pointwise(const TracedGraph& graph, const TracedNode& node, int64_t kernel_size, size_t n) {
    const auto is = [&](const std::optional<std::vector<int64_t>>& sizes, int64_t wanted) {
        return sizes && !sizes->empty() && (sizes->size() == 1 ? sizes->front() : sizes->at(n)) == wanted;
    };
    const auto& padding = graph.values[node.inputs[4]].constant;
    const bool unpadded = (padding && padding->isString()) || is(graph.integers(node.inputs[4]), 0);
    return kernel_size == 1 && unpadded && is(graph.integers(node.inputs[3]), 1);
}

void fix_kernel(Labelling& l, size_t weight) {
    const size_t rank = l.shape(weight).size();
    if (l.is_stored(weight)) {
        for (size_t dim = 2; dim < rank; ++dim) l.fix_stored(weight, dim, "size of the kernel");
        return;
    }
    auto computed = l.labels(weight);
    for (size_t dim = 2; dim < rank; ++dim) l.fix_axis(computed, dim, "size of the kernel");
}

void convolution(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const size_t weight = node.inputs[1], out = node.outputs[0];
    const auto& kernel = l.shape(weight);
    const size_t channel_axis = x.shape.size() - (kernel.size() - 1);
    for (size_t n = 0; n + 2 < kernel.size(); ++n)
        if (const size_t axis = channel_axis + 1 + n;
            l.shape(out)[axis] != x.shape[axis] || !is_pointwise(l.graph(), node, kernel[n + 2], n))
            l.fix_axis(x, axis, "slides over this axis");
    fix_kernel(l, weight);

    const bool is_back = is_transposed(l.graph(), node);
    const auto& many = is_back ? l.shape(out) : x.shape;
    const int64_t groups = many[channel_axis] / kernel[1];
    const bool is_depthwise = !is_back && groups > 1 && kernel[1] == 1;
    const bool is_depthwise_back = is_back && groups > 1 && kernel[0] == groups;
    const auto rule = is_depthwise_back ? depthwise_transposed
                      : is_back         ? transposed
                      : is_depthwise    ? depthwise
                                        : grouped;
    auto labels = rule(l, l.alone(x, channel_axis), weight, groups);
    x.drop(channel_axis);
    // A bias is not zero where something else than its own channels left.
    const bool others_vanish = x.arrays.empty() || (x.vanishes && !l.is_tensor(node, 2));
    x.vanishes = l.vanishes(weight) && others_vanish;
    if (l.is_tensor(node, 2)) {
        labels = l.attach(node.inputs[2], 0, labels, is_depthwise ? Role::channelwise : Role::output);
        x.vanishes = x.vanishes && l.vanishes(node.inputs[2]);
    }
    x.shape = l.shape(out);
    if (labels) x.arrays.push_back({{channel_axis}, labels, {}});
    l.set(out, std::move(x));
}

}  // namespace

void add_convolution_rules(RuleTable& rules) {
    add_rules(rules, convolution,
              {"_convolution", "convolution", "conv1d", "conv2d", "conv3d", "conv_transpose1d",
               "conv_transpose2d", "conv_transpose3d", "_convolution_mode"});
}

}  // namespace mtlprune
