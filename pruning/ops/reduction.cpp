// Operators that combine the entries of one or several axes.
#include <algorithm>

#include "pruning/ops/families.h"
#include "pruning/ops/masked_norms.h"

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

/// Layer norms, RMS norms and others, written out. Fewer channels mean a mean of fewer there, as in the
/// operators.
class WrittenNorms {
  public:
    WrittenNorms(const TracedGraph& graph, const ValueUses& uses) : graph_(graph), uses_(uses) {}

    bool has(const TracedNode& mean) const {
        return mean.kind == "aten::mean" && only_normalises(mean.outputs[0], mean.inputs[0]);
    }

  private:
    /// Whether all that is done with `mean`, a mean of `source`, is to divide the source by it, to subtract
    /// it from a source that is then scaled, or to take the root of a mean of squares.
    bool only_normalises(size_t mean, size_t source) const {
        const auto& outputs = graph_.outputs;
        if (std::find(outputs.begin(), outputs.end(), mean) != outputs.end()) return false;
        const auto& readers = uses_.readers[mean];
        return !readers.empty() && std::all_of(readers.begin(), readers.end(), [&](size_t reader) {
            const auto& node = graph_.nodes[reader];
            if (passes_on(node, mean)) return only_normalises(node.outputs[0], source);
            if (node.kind == "aten::rsqrt" || node.kind == "aten::sqrt") return is_square(source);
            const bool is_applied = node.inputs[0] == source && node.inputs[1] == mean;
            return is_applied && (node.kind == "aten::div" ||
                                  (node.kind == "aten::sub" && is_scaled_by_its_norm(node.outputs[0])));
        });
    }

    /// An epsilon, a type, an axis of size one.
    bool passes_on(const TracedNode& node, size_t value) const {
        if (node.inputs[0] != value) return false;
        if (node.kind == "aten::add")
            return !graph_.values[node.inputs[1]].is_tensor || is_number(node.inputs[1]);
        return node.kind == "aten::clamp_min" || node.kind == "aten::to" || node.kind == "aten::unsqueeze";
    }

    /// A constant of one element, as which Python's tracer writes numbers down.
    bool is_number(size_t value) const {
        const auto& traced = graph_.values[value];
        return traced.constant && traced.shape.empty();
    }

    bool makes_square(const TracedNode& node) const {
        if (node.kind == "aten::pow") return graph_.number(node.inputs[1]) == 2.0;
        return node.kind == "aten::square" || (node.kind == "aten::mul" && node.inputs[0] == node.inputs[1]);
    }

    bool is_square(size_t value) const {
        const size_t maker = uses_.maker[value];
        return maker != ValueUses::kNobody && makes_square(graph_.nodes[maker]);
    }

    bool is_scaled_by_its_norm(size_t value) const {
        for (const size_t reader : uses_.readers[value]) {
            const auto& square = graph_.nodes[reader];
            if (!makes_square(square)) continue;
            for (const size_t mean : uses_.readers[square.outputs[0]])
                if (has(graph_.nodes[mean])) return true;
        }
        return false;
    }

    const TracedGraph& graph_;
    const ValueUses& uses_;
};

/// `zero_neutral`: a zero channel leaves without a trace; otherwise the result depends on how many there are.
void reduce(Labelling& l, const TracedNode& node, size_t argument, bool zero_neutral) {
    auto x = l.labels(node.inputs[0]);
    const auto axes = reduced_axes(l, node, argument);
    const bool passes = zero_neutral ? x.vanishes : WrittenNorms(l.graph(), l.uses()).has(node);
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

/// sum(x, axes, keepdim, type) and the norm of vectors, whose axes stand behind the order.
void sum(Labelling& l, const TracedNode& node) {
    const bool all = node.inputs.size() <= 2;
    reduce(l, node, all ? node.inputs.size() : 1, true);
}

void norm(Labelling& l, const TracedNode& node) {
    reduce(l, node, 2, true);
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
template <size_t argument>
void mix(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto axis = axis_argument(l.graph(), node, argument, x.shape.size());
    if (!axis) return freeze_inputs(l, node, kNotConstant);
    l.fix_axis(x, *axis, kDecides);
    x.vanishes = false;
    for (const size_t output : l.graph().tensor_outputs(node)) {
        x.shape = l.shape(output);
        l.set(output, x);
    }
}

/// Norms that are written out take means.
std::optional<MaskedForm> masked_mean(const TracedGraph& graph, const TracedNode& node) {
    if (node.inputs.size() <= 2) return std::nullopt;
    const auto rank = static_cast<int64_t>(graph.values[node.inputs[0]].shape.size());
    auto axes = graph.integers(node.inputs[1]).value_or(std::vector<int64_t>());
    for (auto& axis : axes) axis = axis < 0 ? axis + rank : axis;
    return MaskedForm{kMaskedMean, std::move(axes), {2}};
}

}  // namespace

void add_reductions(std::vector<Operator>& all) {
    add(all, {.labels = sum}, {"sum"});
    add(all, {.labels = norm}, {"norm", "linalg_vector_norm"});
    add(all, {.labels = statistic, .masked = masked_mean}, {"mean"});
    add(all, {.labels = statistic},
        {"amax", "amin", "prod", "var", "std", "logsumexp", "argmax", "argmin", "median", "all", "any",
         "var_mean", "std_mean"});
    add(all, {.labels = extreme}, {"max", "min"});
    add(all, {.labels = mix<1>},
        {"softmax", "_softmax", "log_softmax", "_log_softmax", "cumsum", "cumsum_", "cumprod", "sort",
         "argsort", "cummax", "cummin"});
    add(all, {.labels = mix<2>}, {"topk", "kthvalue"});
}

}  // namespace mtlprune
