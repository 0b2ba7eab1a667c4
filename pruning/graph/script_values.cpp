#include "pruning/graph/script_values.h"

#include <fmt/format.h>

#include "pruning/graph/script_tensors.h"

namespace mtlprune {
namespace {

bool is_container(const c10::IValue& content) {
    return content.isList() || content.isGenericDict() || content.isTuple();
}

bool is_plain(const c10::IValue& content) {
    return content.isNone() || content.isScalar() || content.isString() || content.isDevice();
}

/// A list of numbers as it is now.
c10::IValue copied_numbers(const c10::IValue& content) {
    if (content.isIntList()) return content.toIntVector();
    return content.toDoubleVector();
}

}  // namespace

std::vector<c10::IValue> entries_of(const c10::IValue& content) {
    if (content.isTuple()) return content.toTupleRef().elements().vec();
    std::vector<c10::IValue> entries;
    if (content.isList()) {
        const auto list = content.toList();
        for (size_t i = 0; i < list.size(); ++i) entries.push_back(list.get(i));
    } else if (content.isGenericDict()) {
        for (const auto& item : content.toGenericDict()) {
            entries.push_back(item.key());
            entries.push_back(item.value());
        }
    }
    return entries;
}

ScriptValues::ScriptValues(const torch::jit::Module& module, ScriptTrace& trace, bool shapes_only)
    : trace_(trace), shapes_only_(shapes_only) {
    const auto add_stored = [&](const std::string& name, const torch::Tensor& tensor, bool is_buffer) {
        if (!tensor.defined() || stored_.count(tensor.unsafeGetTensorImpl()) > 0) return;
        origin_now_ = module_of(name);
        const size_t number = add_tensor(tensor);
        stored_[tensor.unsafeGetTensorImpl()] = number;
        trace_.graph.stored.push_back(stored_tensor(name, number, tensor, is_buffer));
        if (c10::isIntegralType(tensor.scalar_type(), true)) traced(number).constant = tensor;
    };
    visit_tensors(module, add_stored);
    origin_now_.clear();
}

void ScriptValues::computed_from(const std::vector<size_t>& values) {
    varies_now_ = false;
    origin_now_.clear();
    std::vector<size_t> tensors;
    for (const size_t value : values) {
        varies_now_ = varies_now_ || varies_[value];
        add_tensors(value, tensors);
    }
    // Where weights take part, theirs; else where the first tensor comes from.
    for (const bool weights : {true, false})
        for (const size_t tensor : tensors)
            if (origin_now_.empty() && (!weights || tensor < stored_.size())) origin_now_ = origin_[tensor];
}

void ScriptValues::given_from_outside(const std::string& origin) {
    varies_now_ = true;
    origin_now_ = origin;
}

size_t ScriptValues::add() {
    trace_.graph.values.emplace_back();
    trace_.constants.push_back(nullptr);
    varies_.push_back(varies_now_);
    origin_.push_back(origin_now_);
    return trace_.graph.values.size() - 1;
}

size_t ScriptValues::add_tensor(const torch::Tensor& tensor) {
    const size_t number = add();
    auto& value = traced(number);
    value.is_tensor = true;
    value.shape = tensor.sizes().vec();
    value.type = tensor.scalar_type();
    if (shapes_only_) known_.insert_or_assign(tensor.unsafeGetTensorImpl(), Known(tensor, number));
    return number;
}

size_t ScriptValues::record(const c10::IValue& content) {
    if (content.isTensor() && content.toTensor().defined()) {
        const size_t number = add_tensor(content.toTensor());
        if (content.toTensor().dim() == 0 && !content.toTensor().is_meta()) traced(number).constant = content;
        return number;
    }
    if (is_container(content)) {
        std::vector<size_t> elements;
        for (const auto& entry : entries_of(content)) elements.push_back(find(entry));
        const size_t number = record_container(content, std::move(elements));
        if (content.isIntList() || content.isDoubleList()) traced(number).constant = copied_numbers(content);
        return number;
    }
    const size_t number = add();
    if (is_plain(content)) traced(number).constant = content;
    return number;
}

size_t ScriptValues::find(const c10::IValue& content) {
    if (content.isTensor() && content.toTensor().defined()) {
        const auto* impl = content.toTensor().unsafeGetTensorImpl();
        const auto known = known_.find(impl);
        if (known != known_.end()) return known->second.number;
        const auto stored = stored_.find(impl);
        if (stored != stored_.end()) return stored->second;
    } else if (is_container(content)) {
        const auto known = containers_.find(content);
        if (known != containers_.end()) return known->second;
    }
    return record(content);
}

size_t ScriptValues::record_container(const c10::IValue& content, std::vector<size_t> elements) {
    const size_t number = add();
    traced(number).elements = std::move(elements);
    if (shapes_only_) containers_.insert_or_assign(content, number);
    return number;
}

size_t ScriptValues::number(const Slot& slot) const {
    if (!slot.content.isList() && !slot.content.isGenericDict()) return slot.number;
    const auto known = containers_.find(slot.content);
    return known == containers_.end() ? slot.number : known->second;
}

std::vector<size_t> ScriptValues::elements(const Slot& slot) {
    const size_t number = this->number(slot);
    auto elements = traced(number).elements;
    const auto entries = entries_of(slot.content);
    if (elements.size() == entries.size()) return elements;
    elements.clear();
    for (const auto& entry : entries) elements.push_back(find(entry));
    traced(number).elements = elements;
    return elements;
}

int64_t ScriptValues::stored(const torch::Tensor& tensor) const {
    const auto found = stored_.find(tensor.unsafeGetTensorImpl());
    return found == stored_.end() ? -1 : static_cast<int64_t>(found->second);
}

void ScriptValues::add_tensors(size_t value, std::vector<size_t>& tensors) const {
    const auto& traced = trace_.graph.values[value];
    if (traced.is_tensor) tensors.push_back(value);
    for (const size_t element : traced.elements) add_tensors(element, tensors);
}

}  // namespace mtlprune
