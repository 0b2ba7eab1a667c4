// Distances and similarities of vectors: sums over an axis, which zeros leave as they are.
#include <algorithm>
#include <numeric>

#include "pruning/ops/families.h"

namespace mtlprune {
namespace {

constexpr const char* kNotZero = "channels are compared that are not zero when their weights are";

/// An axis that is summed over: afterwards it has size 1.
void sum_over(Labelling& l, Labelled& x, size_t axis, bool zero_neutral, const char* why) {
    if (zero_neutral)
        l.separate(x, {axis});
    else
        l.fix_axis(x, axis, why);
    l.alone(x, axis);
    x.drop(axis);
    x.shape[axis] = 1;
}

/// cdist(a [..., P, M], b [..., R, M]) -> [..., P, R]
void distances(Labelling& l, const TracedNode& node) {
    auto a = l.labels(node.inputs[0]), b = l.labels(node.inputs[1]);
    const auto order = l.graph().number(node.inputs[2]);
    const bool neutral = a.vanishes && b.vanishes && order && *order >= 0;
    const size_t last_a = a.shape.size() - 1, last_b = b.shape.size() - 1;
    if (neutral) {
        l.separate(a, {last_a});
        l.separate(b, {last_b});
        l.join(l.alone(a, last_a), l.alone(b, last_b), kNotZero);
    }
    sum_over(l, a, last_a, neutral, kNotZero);
    sum_over(l, b, last_b, neutral, kNotZero);
    std::vector<size_t> turned(b.shape.size());
    std::iota(turned.begin(), turned.end(), size_t{0});
    std::swap(turned[last_b], turned[last_b - 1]);
    b = permuted(b, turned);
    l.set(node.outputs[0], l.broadcast({std::move(a), std::move(b)}, l.shape(node.outputs[0])));
}

std::vector<int64_t> common_shape(const Labelled& a, const Labelled& b) {
    auto shape = a.shape.size() >= b.shape.size() ? a.shape : b.shape;
    const auto& other = a.shape.size() >= b.shape.size() ? b.shape : a.shape;
    const size_t missing = shape.size() - other.size();
    for (size_t axis = 0; axis < other.size(); ++axis)
        if (shape[missing + axis] == 1) shape[missing + axis] = other[axis];
    return shape;
}

void compare(Labelling& l, const TracedNode& node, int64_t axis, bool zero_neutral, const char* why) {
    const auto &a = l.labels(node.inputs[0]), &b = l.labels(node.inputs[1]);
    const bool neutral = zero_neutral && a.vanishes && b.vanishes;
    auto both = l.broadcast({a, b}, common_shape(a, b));
    sum_over(l, both, wrap_axis(axis, both.shape.size()), neutral, why);
    l.set(node.outputs[0], l.reshape(both, l.shape(node.outputs[0])));
}

/// cosine_similarity(a, b, axis, eps)
void cosine(Labelling& l, const TracedNode& node) {
    compare(l, node, l.graph().integer(node.inputs[2], 1), true, kNotZero);
}

/// pairwise_distance(a, b, order, eps, keepdim): eps is added to every difference, so that zeros count.
void pairwise(Labelling& l, const TracedNode& node) {
    const auto order = l.graph().number(node.inputs[2]);
    const bool adds_nothing = l.graph().number(node.inputs[3]) == 0.0 && order && *order >= 0;
    compare(l, node, -1, adds_nothing,
            adds_nothing ? kNotZero : "a number is added to the difference of every channel");
}

/// pdist(x [N, M]): of all pairs of rows.
void pairs(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto order = l.graph().number(node.inputs[1]);
    l.fix_axis(x, 0, "every pair of its entries is compared");
    sum_over(l, x, 1, x.vanishes && order && *order >= 0, kNotZero);
    l.set(node.outputs[0], Labelled{l.shape(node.outputs[0]), {}, false});
}

/// Every pair of rows, over the last axis of the first.
int64_t distances_macs(const TracedGraph& graph, const TracedNode& node, const Shapes& shapes) {
    const auto& out = shapes[graph.tensor_outputs(node)[0]];
    return std::accumulate(out.begin(), out.end(), shapes[node.inputs[0]].back(), std::multiplies<>());
}

}  // namespace

void add_distances(std::vector<Operator>& all) {
    add(all, {.labels = distances, .macs = distances_macs}, {"cdist", "_cdist_forward"});
    add(all, {.labels = cosine}, {"cosine_similarity"});
    add(all, {.labels = pairwise}, {"pairwise_distance"});
    add(all, {.labels = pairs}, {"pdist"});
}

}  // namespace mtlprune
