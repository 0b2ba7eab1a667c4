#include "pruning/coupling/labelling.h"

#include <fmt/format.h>

#include <algorithm>

namespace mtlprune {
namespace {

std::string module_of(const std::string& tensor) {
    const auto dot = tensor.rfind('.');
    return dot == std::string::npos ? tensor : tensor.substr(0, dot);
}

/// Numbers of the axes with more (or fewer) than one index; the others carry nothing through a reshape.
std::vector<size_t> wide_axes(const std::vector<int64_t>& shape) {
    std::vector<size_t> axes;
    for (size_t axis = 0; axis < shape.size(); ++axis)
        if (shape[axis] != 1) axes.push_back(axis);
    return axes;
}

}  // namespace

Labelling::Labelling(const TracedGraph& graph)
    : graph_(graph),
      block_of_label_(1, 0),
      labels_(graph.values.size()),
      origin_(graph.values.size()),
      is_weight_(graph.values.size()) {
    for (size_t value = 0; value < graph.values.size(); ++value) labels_[value].resize(shape(value).size());
    for (size_t i = 0; i < graph.inputs.size(); ++i)
        origin_[graph.inputs[i]] = fmt::format("network input {}", i);
    for (size_t i = 0; i < graph.stored.size(); ++i) {
        const size_t value = graph.stored[i].value;
        origin_[value] = module_of(graph.stored[i].name);
        is_weight_[value] = true;
        for (size_t dim = 0; dim < shape(value).size(); ++dim) {
            const int64_t size = shape(value)[dim];
            const Label first = sets_.add(size);
            block_of_label_.resize(sets_.size(), blocks_.size());
            blocks_.push_back({i, static_cast<int64_t>(dim), first, size});
            labels_[value][dim].resize(size);
            std::iota(labels_[value][dim].begin(), labels_[value][dim].end(), first);
        }
    }
}

bool Labelling::is_tensor(const TracedNode& node, size_t input) const {
    return input < node.inputs.size() && graph_.values[node.inputs[input]].is_tensor;
}

std::string Labelling::origin_of(const TracedNode& node) const {
    const auto tensors = graph_.tensor_inputs(node);
    for (const size_t value : tensors)
        if (is_weight_[value]) return origin_[value];
    for (const size_t value : tensors)
        if (!origin_[value].empty()) return origin_[value];
    return "";
}

void Labelling::begin(size_t node) {
    node_ = static_cast<int64_t>(node);
    const auto& traced = graph_.nodes[node];
    const auto tensors = graph_.tensor_inputs(traced);
    const bool from_weights =
        !tensors.empty() &&
        std::all_of(tensors.begin(), tensors.end(), [&](size_t value) { return is_weight_[value]; });
    const auto origin = origin_of(traced);
    for (const size_t output : traced.outputs) {
        origin_[output] = origin;
        is_weight_[output] = from_weights;
    }
}

void Labelling::set(size_t value, TensorLabels labels) {
    bool fits = labels.size() == shape(value).size();
    for (size_t axis = 0; axis < labels.size() && fits; ++axis)
        fits = labels[axis].empty() || static_cast<int64_t>(labels[axis].size()) == shape(value)[axis];
    if (fits)
        labels_[value] = std::move(labels);
    else
        freeze_all(labels, "no coupling rule for this form of the operator");
}

std::string Labelling::explain(const std::string& why) const {
    const auto& node = graph_.nodes[node_];
    const auto& origin = node.outputs.empty() ? origin_of(node) : origin_[node.outputs.front()];
    return origin.empty() ? fmt::format("{}: {}", node.kind, why)
                          : fmt::format("{} at {}: {}", node.kind, origin, why);
}

void Labelling::join(const AxisLabels& a, const AxisLabels& b, const std::string& why) {
    if (a.empty() || b.empty()) return freeze(a.empty() ? b : a, why);
    const auto reason = explain(why);
    for (size_t i = 0; i < a.size(); ++i) sets_.join(a[i], b[i], reason);
}

void Labelling::join_periodic(const AxisLabels& axis, int64_t period) {
    const auto reason = explain("equal positions of its blocks stay together, and one of them is fixed");
    for (size_t i = period; i < axis.size(); ++i) sets_.join(axis[i], axis[i % period], reason);
}

void Labelling::freeze(const AxisLabels& axis, const std::string& why) {
    if (axis.empty()) return;
    const auto reason = explain(why);
    for (const Label label : axis) sets_.freeze(label, reason);
}

void Labelling::freeze_all(const TensorLabels& labels, const std::string& why) {
    for (const auto& axis : labels) freeze(axis, why);
}

void Labelling::mark(size_t value, size_t dim, Role role) {
    if (!is_weight_[value]) return;
    const auto& inputs = graph_.nodes[node_].inputs;
    const auto found = std::find(inputs.begin(), inputs.end(), value);
    for (const Label label : labels_[value][dim]) {
        if (label == kFixedLabel) continue;
        auto& block = blocks_[block_of_label_[label]];
        if (block.node >= 0 && block.role <= role) continue;
        block.role = role;
        block.node = node_;
        const bool direct = found != inputs.end() && graph_.stored[block.stored].value == value;
        block.argument = direct ? found - inputs.begin() : -1;
    }
}

TensorLabels Labelling::broadcast(const std::vector<Operand>& operands, const std::vector<int64_t>& shape) {
    TensorLabels result(shape.size());
    for (size_t axis = 0; axis < shape.size(); ++axis) {
        const AxisLabels* first = nullptr;
        for (const auto& operand : operands) {
            const size_t missing = shape.size() - operand.shape.size();
            if (axis < missing || operand.shape[axis - missing] != shape[axis]) continue;
            const auto& labels = operand.labels[axis - missing];
            if (first != nullptr) join(*first, labels, "combined with a value that cannot shrink");
            if (first == nullptr || first->empty()) first = &labels;
        }
        if (first != nullptr) result[axis] = *first;
    }
    return result;
}

AxisLabels Labelling::merge_axes(const Operand& operand, const std::vector<size_t>& axes) {
    std::vector<size_t> labelled;
    int64_t total = 1;
    for (const size_t axis : axes) {
        total *= operand.shape[axis];
        if (!operand.labels[axis].empty()) labelled.push_back(axis);
    }
    if (labelled.empty()) return {};
    if (labelled.size() > 1) {
        for (const size_t axis : labelled)
            freeze(operand.labels[axis], "merges two axes that can both shrink");
        return {};
    }
    int64_t inner = 1;
    for (const size_t axis : axes)
        if (axis > labelled.front()) inner *= operand.shape[axis];
    const auto& labels = operand.labels[labelled.front()];
    AxisLabels merged(total);
    for (int64_t i = 0; i < total; ++i) merged[i] = labels[(i / inner) % static_cast<int64_t>(labels.size())];
    return merged;
}

void Labelling::split_axis(AxisLabels merged, const std::vector<int64_t>& shape,
                           const std::vector<size_t>& axes, TensorLabels& out) {
    for (size_t k = 0; k + 1 < axes.size() && !merged.empty(); ++k) {
        const int64_t outer = shape[axes[k]];
        const int64_t inner = static_cast<int64_t>(merged.size()) / outer;
        bool constant_inside = true;
        for (size_t i = 0; i < merged.size() && constant_inside; ++i)
            constant_inside = sets_.same(merged[i], merged[i - i % inner]);
        if (constant_inside) {
            for (int64_t a = 0; a < outer; ++a) out[axes[k]].push_back(merged[a * inner]);
            return;
        }
        // Slices must leave whole: the outer count stays, the inner one shrinks.
        join_periodic(merged, inner);
        merged.resize(inner);
    }
    if (!merged.empty()) out[axes.back()] = std::move(merged);
}

TensorLabels Labelling::reshape(const Operand& operand, const std::vector<int64_t>& shape) {
    TensorLabels result(shape.size());
    if (std::count(shape.begin(), shape.end(), 0) > 0) {
        freeze_all(operand.labels, "reshapes an empty tensor");
        return result;
    }
    for (size_t axis = 0; axis < operand.shape.size(); ++axis)
        if (operand.shape[axis] == 1) freeze(operand.labels[axis], "the only channel of its axis");
    const auto from = wide_axes(operand.shape);
    const auto to = wide_axes(shape);
    for (size_t i = 0, o = 0; i < from.size() && o < to.size();) {
        std::vector<size_t> sources = {from[i]};
        std::vector<size_t> targets = {to[o]};
        int64_t in = operand.shape[from[i++]];
        int64_t out = shape[to[o++]];
        while (in != out) {
            if (in < out) {
                sources.push_back(from[i]);
                in *= operand.shape[from[i++]];
            } else {
                targets.push_back(to[o]);
                out *= shape[to[o++]];
            }
        }
        split_axis(merge_axes(operand, sources), shape, targets, result);
    }
    return result;
}

}  // namespace mtlprune
