// Operators that combine the entries of one or several axes.
#include <algorithm>

#include "pruning/ops/families.h"
#include "pruning/ops/masked_norms.h"
#include "pruning/ops/written_norms.h"

namespace mtlprune {
namespace {

constexpr const char* kDecides = "every channel of this axis decides the result";
constexpr const char* kSumNotZero = "channels are summed that are not zero when their weights are";

/// The axes that a reduction runs over; all of them when none are named.
std::vector<size_t> reduced_axes(const Labelling& l, const TracedNode& node, size_t argument) {
    const size_t rank = l.shape(node.inputs[0]).size();
    std::vector<size_t> axes;
    const auto named =
        node.inputs.size() > argument ? l.graph().integers(node.inputs[argument]) : std::nullopt;
    if (named)
        for (const int64_t axis : *named) axes.push_back(wrap_axis(axis, rank));
    if (axes.empty())
        for (size_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
    return axes;
}

/// Norms across channels may be written out: fewer channels mean statistics of fewer there, as in layer norm.
bool normalises(Labelling& l, const TracedNode& node) {
    return node.op->masked != nullptr && WrittenNorms(l.graph(), l.uses()).has(node);
}

/// `zero_neutral`: a zero channel leaves without a trace; otherwise the result depends on how many there are.
void reduce(Labelling& l, const TracedNode& node, size_t argument, bool zero_neutral) {
    auto x = l.labels(node.inputs[0]);
    const auto axes = reduced_axes(l, node, argument);
    const bool loses = std::any_of(axes.begin(), axes.end(), [&](size_t axis) { return !x.is_fixed(axis); });
    const bool passes = zero_neutral ? x.vanishes : loses && normalises(l, node);
    if (passes) l.separate(x, axes);
    for (const size_t axis : axes) {
        if (!passes)
            l.fix_axis(x, axis, zero_neutral ? kSumNotZero : kDecides);
        else if (!zero_neutral)
            l.mark_cross_channel(l.alone(x, axis));
        x.drop(axis);
        x.shape[axis] = 1;
    }
    x.vanishes = x.vanishes && zero_neutral;
    for (const size_t output : l.graph().tensor_outputs(node)) l.set(output, l.reshape(x, l.shape(output)));
}

/// sum(x, axes, keepdim, type)
void sum(Labelling& l, const TracedNode& node) {
    const bool all = node.inputs.size() <= 2;
    reduce(l, node, all ? node.inputs.size() : 1, true);
}

/// Zeros change no norm but those of negative order, which are about the smallest entry.
template <size_t order, size_t axes>
void norm(Labelling& l, const TracedNode& node) {
    const auto& given = l.graph().values[node.inputs[order]];
    const auto number = l.graph().number(node.inputs[order]);
    const bool is_named = given.constant && (given.constant->isNone() || given.constant->isString());
    reduce(l, node, axes, order == 0 || is_named || (number && *number >= 0));
}

void statistic(Labelling& l, const TracedNode& node) {
    reduce(l, node, node.inputs.size() > 2 ? 1 : node.inputs.size(), false);
}

/// max(x, axis, keepdim), max(x) or max(x, other).
void extreme(Labelling& l, const TracedNode& node) {
    if (!l.is_tensor(node, 1)) return statistic(l, node);
    const auto& shape = l.shape(node.outputs[0]);
    l.set(node.outputs[0], l.broadcast({l.labels(node.inputs[0]), l.labels(node.inputs[1])}, shape));
}

/// Keeps the shape but mixes one axis, named by the second argument: softmax, cumulative sums, sorting.
/// `zero_stays`: for channels of other axes.
template <size_t argument, bool zero_stays = false>
void mix(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto axis = axis_argument(l.graph(), node, argument, x.shape.size());
    if (!axis) return freeze_inputs(l, node, kNotConstant);
    l.fix_axis(x, *axis, kDecides);
    x.vanishes = x.vanishes && zero_stays;
    for (const size_t output : l.graph().tensor_outputs(node)) {
        x.shape = l.shape(output);
        l.set(output, x);
    }
}

/// The axes of a statistic over all (x, ...) or some (x, axes, ..., ...), counted from the front.
std::vector<int64_t> statistic_axes(const TracedGraph& graph, const TracedNode& node) {
    const auto rank = static_cast<int64_t>(graph.values[node.inputs[0]].shape.size());
    auto axes = node.inputs.size() > 2 ? graph.integers(node.inputs[1]).value_or(std::vector<int64_t>())
                                       : std::vector<int64_t>();
    for (auto& axis : axes) axis = axis < 0 ? axis + rank : axis;
    if (axes.empty())
        for (int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
    return axes;
}

/// mean(x, type), mean(x, axes, keepdim, type)
std::optional<MaskedForm> masked_mean(const TracedGraph& graph, const TracedNode& node) {
    const bool keeps = node.inputs.size() > 2 && graph.integer(node.inputs[2], 0) != 0;
    return MaskedForm{kMaskedMean, statistic_axes(graph, node), {}, {keeps}};
}

/// var(x, unbiased), var(x, axes, unbiased, keepdim), var(x, axes, correction, keepdim): the correction is 1
/// where none is given. The same for standard deviations, and with the mean as a second result.
template <bool root>
std::optional<MaskedForm> masked_spread(const TracedGraph& graph, const TracedNode& node) {
    const bool all = node.inputs.size() <= 2;
    const auto correction = graph.number(node.inputs[all ? 1 : 2]);
    const bool keeps = !all && graph.integer(node.inputs[3], 0) != 0;
    return MaskedForm{kMaskedSpread, statistic_axes(graph, node), {}, {correction.value_or(1), root, keeps}};
}

}  // namespace

void add_reductions(std::vector<Operator>& all) {
    add(all, {.labels = sum}, {"sum", "nansum"});
    add(all, {.labels = norm<1, 2>}, {"norm", "linalg_vector_norm", "linalg_norm", "linalg_matrix_norm"});
    add(all, {.labels = norm<0, 1>}, {"frobenius_norm", "nuclear_norm", "count_nonzero"});
    add(all, {.labels = statistic, .masked = masked_mean}, {"mean"});
    add(all, {.labels = statistic},
        {"amax", "amin", "prod", "logsumexp", "argmax", "argmin", "median", "all", "any"});
    add(all, {.labels = statistic, .masked = masked_spread<false>}, {"var", "var_mean"});
    add(all, {.labels = statistic, .masked = masked_spread<true>}, {"std", "std_mean"});
    add(all, {.labels = extreme}, {"max", "min"});
    add(all, {.labels = mix<1>},
        {"softmax", "_softmax", "_safe_softmax", "log_softmax", "_log_softmax", "cumprod", "sort", "argsort",
         "cummax", "cummin", "logcumsumexp"});
    add(all, {.labels = mix<1, true>}, {"cumsum", "cumsum_"});
    add(all, {.labels = mix<2>}, {"topk", "kthvalue"});
}

}  // namespace mtlprune
