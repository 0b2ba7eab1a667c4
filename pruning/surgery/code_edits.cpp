#include "pruning/surgery/code_edits.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "pruning/surgery/edit_finder.h"
#include "pruning/surgery/number_code.h"

namespace mtlprune {

namespace jit = torch::jit;

namespace {

bool is_whole(const c10::IValue& number) {
    return number.isInt() ||
           (number.isTensor() && c10::isIntegralType(number.toTensor().scalar_type(), /*includeBool=*/false));
}

/// What one piece of code may do that runs several times.
bool is_same(const NumberEdit& a, const NumberEdit& b) {
    if (a.form != b.form) return false;
    if (a.form == NumberEdit::Form::scaled) return a.numerator * b.denominator == b.numerator * a.denominator;
    return a.form == NumberEdit::Form::computed || number_of(a.number) == number_of(b.number);
}

}  // namespace

EditFinder::EditFinder(const Coupling& coupling, const Plan& plan)
    : coupling_(coupling), graph_(coupling.graph), kept_(coupling, plan), recomputed_(coupling, kept_) {}

void EditFinder::begin(const TracedNode& node, jit::Node* code) {
    node_ = &node;
    code_ = code;
}

CodeEdits EditFinder::find() {
    const auto& script = *coupling_.script;
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
        const auto& node = graph_.nodes[i];
        if (node.op->edits == nullptr || graph_.tensor_outputs(node).empty()) continue;
        begin(node, script.nodes[i]);
        node.op->edits(*this, node);
    }
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
        begin(graph_.nodes[i], script.nodes[i]);
        keep_numbers();
    }
    for (const auto& [code, argument, value] : script.decisions) {
        code_ = code;
        if (kept_.changes_number(value)) edit(argument, -1, graph_.values[value].constant.value(), value);
    }
    for (size_t value = 0; value < graph_.values.size(); ++value) slice_constant(value);
    return std::move(edits_);
}

void EditFinder::change(size_t argument, int64_t element, const c10::IValue& number) {
    size_t value = node_->inputs[argument];
    if (element >= 0) {
        const auto& elements = graph_.values[value].elements;
        value = static_cast<size_t>(element) < elements.size() ? elements[element] : kNoValue;
    }
    edit(argument, element, number, value);
}

/// How a number that the code computes becomes another.
NumberEdit EditFinder::form_of(const c10::IValue& number, size_t value) {
    NumberEdit constant{NumberEdit::Form::constant, number};
    const auto computed = value == kNoValue ? std::nullopt : recomputed_.of(value);
    const auto wanted = number_of(number), found = computed ? number_of(*computed) : std::nullopt;
    if (!wanted || !found) return constant;
    if (*wanted == *found) return {NumberEdit::Form::computed, number};
    const auto exact = recomputed_.fraction(value);
    if (!recomputed_.varies(value) || computed->isBool() || !exact || exact->first == 0) return constant;
    const double numerator = *wanted * exact->second, denominator = exact->first;
    if (!is_whole(*computed)) return {NumberEdit::Form::scaled, number, numerator / denominator, 1};
    const auto divisor =
        static_cast<double>(std::gcd(static_cast<int64_t>(numerator), static_cast<int64_t>(denominator)));
    return {NumberEdit::Form::scaled, number, numerator / divisor, denominator / divisor};
}

void EditFinder::edit(size_t argument, int64_t element, const c10::IValue& number, size_t value) {
    const auto now = form_of(number, value);
    const auto [it, is_new] = edits_.numbers.emplace(std::tuple(code_, argument, element), now);
    auto& before = it->second;
    if (is_new || is_same(before, now)) return;
    if (number_of(before.number) == number_of(number)) {
        before = {NumberEdit::Form::constant, number};
        return;
    }
    if (before.number.isInt() && number.isInt())
        throw Error("surgery", fmt::format("{} in a loop", code_->kind().toQualString()),
                    fmt::format("one size ({})", before.number.toInt()), std::to_string(number.toInt()));
}

void EditFinder::change_sizes(const TracedNode& node, size_t argument, size_t value, size_t first_axis) {
    const auto old = graph_.integers(node.inputs[argument]);
    if (!old) return;
    const auto& elements = graph_.values[node.inputs[argument]].elements;
    for (size_t i = 0; i < old->size() && first_axis + i < graph_.values[value].shape.size(); ++i) {
        const bool computed = i < elements.size() && kept_.changes_number(elements[i]);
        if ((*old)[i] != -1 && (computed || kept_.changes(value, first_axis + i)))
            change(argument, static_cast<int64_t>(i), kept_.size(value, first_axis + i));
    }
}

int64_t EditFinder::moved(size_t value, size_t axis, int64_t position) const {
    const int64_t size = graph_.values[value].shape[axis];
    if (position >= size || position < -size) return position;
    if (position >= 0) return kept_.count(value, axis, 0, position);
    return -kept_.count(value, axis, size + position, size);
}

void EditFinder::move_argument(const TracedNode& node, size_t argument, size_t axis) {
    const auto old = graph_.integers(node.inputs[argument]);
    if (!old) return;
    const int64_t now = moved(node.inputs[0], axis, old->front());
    if (now != old->front()) change(argument, -1, now);
}

void EditFinder::renumber(size_t index, size_t value, size_t axis) {
    const auto content = graph_.tensor_content(index);
    if (!content || !kept_.changes(value, axis)) return;
    const auto stays = kept_.indices(index, 0);
    std::vector<int64_t> entries;
    const auto add = [&](int64_t i) {
        const int64_t entry = (*content)[i];
        entries.push_back(moved(value, axis, entry < 0 ? entry + graph_.values[value].shape[axis] : entry));
    };
    if (stays.empty())
        for (size_t i = 0; i < content->size(); ++i) add(static_cast<int64_t>(i));
    else
        for (const int64_t i : stays) add(i);
    set_index(index, torch::tensor(entries, torch::kInt64).to(graph_.values[index].type));
}

void EditFinder::set_index(size_t index, const torch::Tensor& tensor) {
    auto* constant = coupling_.script->constants[index];
    auto& place = constant != nullptr ? edits_.tensors[constant] : edits_.buffers[index];
    if (place.defined() && !torch::equal(place, tensor))
        throw Error("surgery", "indices", "one set of channels behind them", "two");
    place = tensor;
}

void EditFinder::cut_result(const TracedNode& node, size_t axis) {
    for (size_t argument = 0; argument < node.inputs.size(); ++argument)
        if (const auto& number = graph_.values[node.inputs[argument]].constant;
            number && kept_.changes_number(node.inputs[argument]))
            change(argument, -1, *number);
    const std::pair cut(static_cast<int64_t>(axis), kept_.indices(node.outputs[0], axis));
    if (!edits_.cuts.emplace(code_, cut).second && edits_.cuts[code_] != cut)
        throw Error("surgery", node.kind, "the same channels whenever it runs", "others");
}

double EditFinder::width_factor(size_t value, size_t axis) const {
    return std::sqrt(static_cast<double>(kept_.size(value, axis)) /
                     static_cast<double>(graph_.values[value].shape[axis]));
}

void EditFinder::scale_queries(double factor) {
    if (!edits_.query_factors.emplace(code_, factor).second && edits_.query_factors[code_] != factor)
        throw Error("surgery", "attention in a loop", "heads of one width", "two widths");
}

void EditFinder::scale_rows(size_t value, int64_t count, double factor) {
    edits_.rescalings.push_back({value, 0, count, factor});
}

/// A number in an operator on tensors that was computed from a size (a scale, say) stays what it was.
void EditFinder::keep_numbers() {
    const auto& node = *node_;
    if (node.outputs.size() == 1 && !coupling_.graph.values[node.outputs[0]].computed_from.empty()) return;
    if (graph_.tensor_outputs(node).empty()) return;
    const auto keep = [&](size_t value, size_t argument, int64_t element) {
        if (!kept_.changes_number(value) || edits_.numbers.count({code_, argument, element}) > 0) return;
        if (const auto& content = graph_.values[value].constant) edit(argument, element, *content, value);
    };
    for (size_t argument = 0; argument < node.inputs.size(); ++argument) {
        const auto& elements = graph_.values[node.inputs[argument]].elements;
        keep(node.inputs[argument], argument, -1);
        for (size_t i = 0; i < elements.size(); ++i) keep(elements[i], argument, static_cast<int64_t>(i));
    }
}

void EditFinder::slice_constant(size_t value) {
    auto* constant = coupling_.script->constants[value];
    if (constant == nullptr || edits_.tensors.count(constant) > 0) return;
    auto tensor = graph_.values[value].constant->toTensor();
    bool changed = false;
    for (size_t axis = 0; axis < graph_.values[value].shape.size(); ++axis) {
        const auto stays = kept_.indices(value, axis);
        if (stays.empty()) continue;
        tensor = tensor.index_select(static_cast<int64_t>(axis),
                                     torch::tensor(stays, torch::kInt64).to(tensor.device()));
        changed = true;
    }
    if (changed) edits_.tensors[constant] = tensor;
}

CodeEdits find_edits(const Coupling& coupling, const Plan& plan) {
    return EditFinder(coupling, plan).find();
}

}  // namespace mtlprune
