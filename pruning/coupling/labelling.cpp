#include "pruning/coupling/labelling.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace mtlprune {
Labelling::Labelling(const TracedGraph& graph, const CouplingOptions& options)
    : graph_(graph),
      options_(options),
      stored_of_(graph.values.size(), -1),
      materialised_(graph.values.size()),
      labels_(graph.values.size()),
      origin_(graph.values.size()),
      is_weight_(graph.values.size()),
      memory_(graph.values.size()) {
    std::iota(memory_.begin(), memory_.end(), size_t{0});
    for (size_t value = 0; value < graph.values.size(); ++value) labels_[value].shape = shape(value);
    for (size_t i = 0; i < graph.inputs.size(); ++i)
        origin_[graph.inputs[i]] = fmt::format("network input {}", i);
    for (size_t i = 0; i < graph.stored.size(); ++i) {
        const size_t value = graph.stored[i].value;
        origin_[value] = module_of(graph.stored[i].name);
        is_weight_[value] = true;
        labels_[value].vanishes = !graph.stored[i].is_buffer || graph.stored[i].is_zero;
        stored_of_[value] = static_cast<int64_t>(i);
        first_block_.push_back(blocks_.size());
        for (size_t dim = 0; dim < shape(value).size(); ++dim) blocks_.push_back({i, dim, nullptr});
    }
}

const ValueUses& Labelling::uses() {
    if (!uses_) uses_.emplace(graph_);
    return *uses_;
}

bool Labelling::is_tensor(const TracedNode& node, size_t input) const {
    return input < node.inputs.size() && graph_.values[node.inputs[input]].is_tensor;
}

LabelsPtr Labelling::fresh_axis(int64_t size) {
    if (size <= 1) return nullptr;
    Labels labels(size);
    std::iota(labels.begin(), labels.end(), sets_.add(size));
    return share(std::move(labels));
}

LabelsPtr Labelling::copies_axis(int64_t size) {
    auto labels = fresh_axis(size);
    is_copy_.resize(sets_.size());
    if (labels)
        for (const Label label : *labels) is_copy_[label] = true;
    return labels;
}

bool Labelling::is_unused(const LabelArray& array) {
    return std::all_of(array.labels->begin(), array.labels->end(), [&](Label label) {
        return label != kFixedLabel && static_cast<size_t>(label) < is_copy_.size() && is_copy_[label] &&
               sets_.is_single(label);
    });
}

Labelled Labelling::fresh(const std::vector<int64_t>& shape) {
    Labelled x{shape, {}, false};
    for (size_t axis = 0; axis < shape.size(); ++axis)
        if (auto labels = fresh_axis(shape[axis])) x.arrays.push_back({{axis}, std::move(labels), {}});
    return x;
}

/// Stored tensors get labels where they have none yet, constants that surgery may edit on all axes.
void Labelling::materialise(size_t value) {
    materialised_[value] = true;
    if (stored_of_[value] < 0) {
        if (graph_.editable && graph_.values[value].constant) labels_[value] = fresh(shape(value));
        return;
    }
    const size_t first = first_block_[stored_of_[value]];
    auto& x = labels_[value];
    for (size_t dim = 0; dim < x.shape.size(); ++dim) {
        auto& block = blocks_[first + dim];
        if (!block.labels && !block.is_fixed) block.labels = fresh_axis(x.shape[dim]);
        if (block.labels && x.is_fixed(dim)) x.arrays.push_back({{dim}, block.labels, {first + dim}});
    }
}

const Labelled& Labelling::labels(size_t value) {
    const bool lazy = stored_of_[value] >= 0 || graph_.values[value].constant;
    if (lazy && !materialised_[value]) materialise(value);
    return labels_[value];
}

namespace {

/// Every array has one label per element along its axes.
bool is_consistent(const Labelled& x) {
    return std::all_of(x.arrays.begin(), x.arrays.end(), [&](const LabelArray& array) {
        int64_t elements = 1;
        for (const size_t axis : array.axes) elements *= axis < x.shape.size() ? x.shape[axis] : 0;
        return array.labels && elements == static_cast<int64_t>(array.labels->size());
    });
}

}  // namespace

void Labelling::set(size_t value, Labelled labels) {
    if (labels.shape != shape(value) || !is_consistent(labels))
        return freeze_all(labels, "no coupling rule for this form of the operator");
    labels_[value] = std::move(labels);
    if (!labels_[value].vanishes && graph_.nodes[node_].op->memory == Memory::in_place) overwrite(value);
}

/// Everything that shares the value's memory holds what was written: no longer zeros.
void Labelling::overwrite(size_t value) {
    for (size_t other = 0; other < labels_.size(); ++other)
        if (memory_[other] == memory_[value]) labels_[other].vanishes = false;
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
    const auto is_weight = [&](size_t value) { return is_weight_[value]; };
    const bool from_weights = std::any_of(tensors.begin(), tensors.end(), is_weight) &&
                              std::all_of(tensors.begin(), tensors.end(), [&](size_t value) {
                                  return is_weight_[value] || graph_.values[value].constant;
                              });
    const auto origin = origin_of(traced);
    const bool shares = !tensors.empty() && traced.op->memory != Memory::own;
    for (const size_t output : graph_.tensor_outputs(traced)) {
        origin_[output] = origin;
        is_weight_[output] = from_weights;
        if (shares) memory_[output] = memory_[tensors.front()];
    }
}

std::string Labelling::explain(int64_t number, const std::string& why) const {
    const auto& node = graph_.nodes[number];
    const auto outputs = graph_.tensor_outputs(node);
    const auto& origin = outputs.empty() ? origin_of(node) : origin_[outputs.front()];
    return origin.empty() ? fmt::format("{}: {}", node.kind, why)
                          : fmt::format("{} at {}: {}", node.kind, origin, why);
}

/// What cannot shrink has no labels, so that the way back to where it lost them is searched.
std::string Labelling::with_cause(int64_t node, const std::string& why) {
    constexpr size_t kMostValues = 256;
    auto open = graph_.tensor_inputs(graph_.nodes[node]);
    const auto found = [&](const std::string& cause) { return fmt::format("{} ({})", why, cause); };
    for (size_t i = 0; i < open.size() && i < kMostValues; ++i) {
        const size_t value = open[i];
        if (is_stored(value) || graph_.values[value].constant || !labels_[value].arrays.empty()) continue;
        const auto input = std::find(graph_.inputs.begin(), graph_.inputs.end(), value);
        if (input != graph_.inputs.end())
            return found(fmt::format("network input {}", input - graph_.inputs.begin()));
        const size_t maker = uses().maker[value];
        if (maker == ValueUses::kNobody) continue;
        const auto sources = graph_.tensor_inputs(graph_.nodes[maker]);
        for (const size_t source : sources)
            for (const auto& array : labels_[source].arrays)
                for (const Label label : *array.labels)
                    if (label != kFixedLabel && sets_.frozen(label)) return found(sets_.reason(label));
        if (const auto* freezes = graph_.nodes[maker].op->freezes)
            return found(explain(static_cast<int64_t>(maker), freezes));
        open.insert(open.end(), sources.begin(), sources.end());
    }
    return why;
}

std::string Labelling::explain_fixed(int64_t node) {
    return explain(node, with_cause(node, kFixed));
}

LabelsPtr Labelling::join(const LabelsPtr& a, const LabelsPtr& b, const std::string& why) {
    if (a == b) return a;
    if (!a || !b) {
        if (a || b) freeze(a ? a : b, with_cause(node_, why));
        return nullptr;
    }
    if (a->size() != b->size()) {  // an operator whose shapes LibTorch does not check
        for (const auto& labels : {a, b}) freeze(labels, "meets another number of channels");
        return nullptr;
    }
    for (size_t i = 0; i < a->size(); ++i)
        if ((*a)[i] != (*b)[i]) sets_.join((*a)[i], (*b)[i], [&] { return explain(why); });
    return a;
}

void Labelling::join_periodic(const LabelsPtr& labels, int64_t period) {
    if (!labels) return;
    const auto why = [&] {
        return explain("equal positions of its blocks stay together, and one of them is fixed");
    };
    for (size_t i = period; i < labels->size(); ++i) sets_.join((*labels)[i], (*labels)[i % period], why);
}

void Labelling::join_blocks(const LabelsPtr& labels, int64_t block) {
    if (!labels) return;
    const auto why = [&] { return explain("its blocks stay whole, and part of one is fixed"); };
    for (size_t i = 0; i < labels->size(); ++i) sets_.join((*labels)[i], (*labels)[i - i % block], why);
}

void Labelling::freeze_range(const LabelsPtr& labels, int64_t first, int64_t last, const std::string& why) {
    if (!labels) return;
    const auto reason = explain(why);
    for (int64_t i = first; i < last; ++i) sets_.freeze((*labels)[i], reason);
}

void Labelling::freeze(const LabelsPtr& labels, const std::string& why) {
    if (labels) freeze_range(labels, 0, static_cast<int64_t>(labels->size()), why);
}

void Labelling::freeze_all(const Labelled& x, const std::string& why) {
    for (const auto& array : x.arrays) freeze(array.labels, why);
}

void Labelling::freeze_all(size_t value, const std::string& why) {
    freeze_all(labels(value), why);
}

void Labelling::mark_cross_channel(const LabelsPtr& labels) {
    if (labels) cross_channel_.insert(cross_channel_.end(), labels->begin(), labels->end());
}

LabelsPtr Labelling::alone(Labelled& x, size_t axis) {
    const auto* array = x.covering(axis);
    if (array == nullptr) return nullptr;
    if (options_.whole_heads && array->axes.size() > 1 && array->axes.back() == axis) {
        found_heads_ = true;
        fix_axis(x, axis, "part of a head is fixed");
        return nullptr;
    }
    return shrink(x, axis);
}

LabelsPtr Labelling::shrink(Labelled& x, size_t axis) {
    const auto* array = x.covering(axis);
    while (array->axes.size() > 1) {
        const size_t other = array->axes[array->axes[0] == axis ? 1 : 0];
        fix_axis(x, other, "one of several equal blocks is fixed");
        array = x.covering(axis);
        if (array == nullptr) return nullptr;
    }
    return array->labels;
}

void Labelling::fix_axis(Labelled& x, size_t axis, const std::string& why) {
    const auto* covering = x.covering(axis);
    if (covering == nullptr) return;
    const LabelArray array = *covering;
    x.drop(axis);
    if (array.axes.size() == 1) return freeze(array.labels, why);
    const auto kept = without_axis(x, array, axis);
    const int64_t inner = x.stride(array, axis), size = x.shape[axis];
    const auto reason = [&] { return explain(why); };
    for (size_t i = 0; i < array.labels->size(); ++i) {
        const int64_t outer = static_cast<int64_t>(i) / (inner * size);
        sets_.join((*array.labels)[i], (*kept.labels)[outer * inner + static_cast<int64_t>(i) % inner],
                   reason);
    }
    simplify(x, kept);
}

void Labelling::separate(Labelled& x, const std::vector<size_t>& inner) {
    const auto arrays = x.arrays;
    for (const auto& array : arrays) {
        const auto is_inner = [&](size_t axis) { return contains(inner, axis); };
        const auto inside = std::count_if(array.axes.begin(), array.axes.end(), is_inner);
        if (inside == 0 || inside == static_cast<int64_t>(array.axes.size())) continue;
        found_heads_ = true;
        for (const size_t axis : array.axes)
            if (is_inner(axis) == options_.whole_heads) fix_axis(x, axis, "part of a head is fixed");
    }
}

void Labelling::make_rectangular(size_t value) {
    auto& x = labels_[value];
    const auto is_joint = [](const LabelArray& array) { return array.axes.size() > 1; };
    if (std::none_of(x.arrays.begin(), x.arrays.end(), is_joint)) return;
    Labelled rest{x.shape, {}, x.vanishes};
    for (const auto& array : x.arrays) simplify(rest, array);
    // What still differs along several axes keeps its outer counts; the innermost axis shrinks.
    for (const auto& array : std::vector(rest.arrays))
        if (is_joint(array)) shrink(rest, *std::max_element(array.axes.begin(), array.axes.end()));
    x = std::move(rest);
}

LabelsPtr Labelling::attach(size_t value, size_t dim, const LabelsPtr& labels, Role role) {
    const int64_t stored = stored_of_[value];
    if (stored >= 0 && !materialised_[value]) {
        auto& block = blocks_[first_block_[stored] + dim];
        if (!block.labels && !block.is_fixed && labels &&
            shape(value)[dim] == static_cast<int64_t>(labels->size())) {
            block.labels = labels;
            mark(value, dim, role);
            return labels;
        }
        if (!block.labels && !block.is_fixed) block.labels = fresh_axis(shape(value)[dim]);
        mark(value, dim, role);
        return join(block.labels, labels, kFixed);
    }
    mark(value, dim, role);
    auto x = this->labels(value);
    return join(alone(x, dim), labels, kFixed);
}

void Labelling::fix_stored(size_t value, size_t dim, const std::string& why) {
    auto& block = blocks_[first_block_[stored_of_[value]] + dim];
    freeze(block.labels, why);
    block.is_fixed = true;
}

void Labelling::mark(size_t value, size_t dim, Role role) {
    if (!is_weight_[value]) return;
    const int64_t stored = stored_of_[value];
    const auto give = [&](LabelBlock& block) {
        if (block.node >= 0 && block.role <= role) return;
        const auto& inputs = graph_.nodes[node_].inputs;
        const auto found = std::find(inputs.begin(), inputs.end(), value);
        block.role = role;
        block.node = node_;
        block.argument = stored >= 0 && found != inputs.end() ? found - inputs.begin() : -1;
    };
    if (stored >= 0) return give(blocks_[first_block_[stored] + dim]);
    if (const auto* array = labels_[value].covering(dim))
        for (const size_t block : array->blocks) give(blocks_[block]);
}

/// Adds the array to x without the axes along which all its labels are joined.
void Labelling::simplify(Labelled& x, LabelArray array) {
    for (size_t i = 0; i < array.axes.size() && array.axes.size() > 1;) {
        const size_t axis = array.axes[i];
        const int64_t inner = x.stride(array, axis), period = inner * x.shape[axis];
        bool constant = true;
        for (int64_t p = 0; p < static_cast<int64_t>(array.labels->size()) && constant; ++p)
            constant = sets_.same((*array.labels)[p], (*array.labels)[p - p % period + p % inner]);
        if (constant)
            array = without_axis(x, array, axis);
        else
            ++i;
    }
    x.arrays.push_back(std::move(array));
}

}  // namespace mtlprune
