// Objects, lists, tuples and dictionaries of a TorchScript network: what they hand on is known already.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "pruning/graph/script_inputs.h"
#include "pruning/graph/script_tracer.h"

namespace mtlprune {

namespace jit = torch::jit;

namespace {

/// What prim::ListConstruct, TupleConstruct or DictConstruct makes of its inputs.
c10::IValue container(const jit::Node& node, const std::vector<c10::IValue>& contents) {
    if (node.kind() == c10::prim::TupleConstruct) return c10::ivalue::Tuple::create(contents);
    const auto type = node.output()->type();
    if (node.kind() == c10::prim::ListConstruct) {
        c10::impl::GenericList list(type->expectRef<c10::ListType>().getElementType());
        for (const auto& content : contents) list.push_back(content);
        return list;
    }
    const auto& dictionary = type->expectRef<c10::DictType>();
    c10::impl::GenericDict entries(dictionary.getKeyType(), dictionary.getValueType());
    for (size_t i = 0; i + 1 < contents.size(); i += 2) entries.insert(contents[i], contents[i + 1]);
    return entries;
}

/// Of the first argument as the operator declares it; AnyType when there is none.
c10::TypeKind first_kind(const jit::Node& node) {
    const auto* schema = node.maybeSchema();
    if (schema == nullptr || schema->arguments().empty()) return c10::TypeKind::AnyType;
    return schema->arguments()[0].type()->kind();
}

/// Takes any list: t[].
bool is_generic_list(const c10::Type& type) {
    return type.kind() == c10::TypeKind::ListType &&
           type.containedTypes().at(0)->kind() == c10::TypeKind::VarType;
}

/// Rearranges or hands out what is in a list; torch.tensor makes something else of it.
bool acts_on_any_list(const jit::Node& node) {
    if (first_kind(node) != c10::TypeKind::ListType) return false;
    const auto& schema = *node.maybeSchema();
    return is_generic_list(*schema.arguments()[0].type()) &&
           (schema.returns().empty() || schema.returns()[0].type()->kind() != c10::TypeKind::TensorType);
}

c10::IValue new_object(const jit::Node& node) {
    const auto type = node.output()->type()->expect<c10::ClassType>();
    return c10::ivalue::Object::create(c10::StrongTypePtr(type->compilation_unit(), type),
                                       type->numAttributes());
}

bool is_instance(const c10::IValue& value, const std::vector<c10::TypePtr>& types) {
    const auto is = [&](const c10::TypePtr& type) { return value.type()->isSubtypeOf(*type); };
    return std::any_of(types.begin(), types.end(), is);
}

c10::List<int64_t> as_list(const std::vector<size_t>& numbers) {
    c10::List<int64_t> list;
    for (const size_t number : numbers) list.push_back(static_cast<int64_t>(number));
    return list;
}

std::vector<size_t> as_numbers(const c10::IValue& list) {
    const auto numbers = list.toIntVector();
    return {numbers.begin(), numbers.end()};
}

}  // namespace

void ScriptTracer::run_attribute(const Node& node) {
    const auto object = slots_.at(node.input()).content.toObject();
    const auto& name = node.s(c10::attr::name);
    const auto written = written_.find({object.get(), name});
    if (written != written_.end()) {
        slots_[node.output()] = written->second;
        return;
    }
    const auto content = object->getAttr(name);
    if (name == "training")
        values_.given_from_outside("");
    else
        values_.computed_from({});
    const size_t number = values_.find(content);
    const auto for_run = [&](const torch::Tensor& tensor) {
        const bool keep = c10::isIntegralType(tensor.scalar_type(), true) || tensor.dim() == 0;
        return keep ? tensor : content_for_run(tensor);
    };
    const bool is_object = content.isObject() || content.isCustomClass();
    const auto run_content = is_object ? content : map_tensors(content, for_run);
    if (run_content.isList() || run_content.isGenericDict()) {
        const auto elements = values_.traced(number).elements;
        set(node.output(), run_content, values_.record_container(run_content, elements));
    } else {
        set(node.output(), run_content, number);
    }
}

void ScriptTracer::set_attribute(const Node& node) {
    const auto object = slots_.at(node.inputs()[0]).content.toObject();
    const auto& slot = slots_.at(node.inputs()[1]);
    written_[{object.get(), node.s(c10::attr::name)}] = {slot.content, number(node.inputs()[1])};
}

/// True when the node is about the structure of the program's values alone.
bool ScriptTracer::run_structure(Node& node) {
    const auto kind = node.kind();
    namespace prim = c10::prim;
    if (kind == prim::GetAttr) return run_attribute(node), true;
    if (kind == prim::SetAttr) return set_attribute(node), true;
    if (kind == prim::ListUnpack || kind == prim::TupleUnpack || kind == prim::TupleIndex ||
        kind == prim::TupleSlice)
        return run_unpack(node), true;
    if (kind == prim::ListConstruct || kind == prim::TupleConstruct || kind == prim::DictConstruct)
        return run_container(node), true;
    if (kind == prim::Uninitialized)
        return set(node.output(), c10::IValue::uninitialized(), values_.add()), true;
    if (kind == prim::CreateObject) return set(node.output(), new_object(node), values_.add()), true;
    if (kind == prim::isinstance) {
        const c10::IValue is_one = is_instance(slots_.at(node.input()).content, node.tys(c10::attr::types));
        return set(node.output(), is_one, values_.record(is_one)), true;
    }
    if (acts_on_any_list(node)) return run_list_operator(node), true;
    if (first_kind(node) == c10::TypeKind::DictType) return run_dictionary_operator(node), true;
    return false;
}

void ScriptTracer::run_unpack(Node& node) {
    const auto& from = slots_.at(node.inputs()[0]);
    const auto entries = entries_of(from.content);
    const auto elements = values_.elements(from);
    const auto count = static_cast<int64_t>(entries.size());
    if (node.kind() == c10::prim::TupleIndex) {
        const int64_t at = slots_.at(node.inputs()[1]).content.toInt();
        return set(node.output(), entries.at(at < 0 ? at + count : at),
                   elements.at(at < 0 ? at + count : at));
    }
    if (node.kind() == c10::prim::TupleSlice) {
        const int64_t first = node.i(c10::attr::beg), last = node.i(c10::attr::end);
        const auto part = c10::ivalue::Tuple::create(
            std::vector<c10::IValue>(entries.begin() + first, entries.begin() + last));
        return set(node.output(), part,
                   values_.record_container(part, {elements.begin() + first, elements.begin() + last}));
    }
    if (entries.size() != node.outputs().size())
        throw Error("TorchScript network", place_of(node), fmt::format("{} elements", node.outputs().size()),
                    std::to_string(entries.size()));
    for (size_t i = 0; i < entries.size(); ++i) set(node.outputs()[i], entries[i], elements[i]);
}

void ScriptTracer::run_container(Node& node) {
    std::vector<c10::IValue> contents;
    for (const auto* input : node.inputs()) contents.push_back(slots_.at(input).content);
    const auto made = container(node, contents);
    set(node.output(), made, values_.record_container(made, numbers(node.inputs())));
}

/// Does to the numbers of the elements what it does to the elements.
void ScriptTracer::run_list_operator(Node& node) {
    const auto& schema = node.schema();
    auto stack = arguments(node);
    jit::Stack shadow;
    for (size_t i = 0; i < node.inputs().size(); ++i) {
        const auto& type = *schema.arguments()[i].type();
        const auto& slot = slots_.at(node.inputs()[i]);
        if (is_generic_list(type) && slot.content.isList())
            shadow.emplace_back(as_list(values_.elements(slot)));
        else if (type.kind() == c10::TypeKind::VarType)
            shadow.emplace_back(static_cast<int64_t>(number(node.inputs()[i])));
        else
            shadow.push_back(slot.content);
    }
    const auto changed = shadow.front();
    call(node, stack, /*for_real=*/true);
    node.getOperation()(shadow);
    if (schema.is_mutable()) {
        const auto& list = slots_.at(node.inputs()[0]);
        slots_[node.inputs()[0]].number = values_.record_container(list.content, as_numbers(changed));
    }
    for (size_t i = 0; i < node.outputs().size(); ++i) {
        const auto& type = *schema.returns()[i].type();
        if (type.kind() == c10::TypeKind::VarType)
            set(node.outputs()[i], stack[i], static_cast<size_t>(shadow[i].toInt()));
        else if (is_generic_list(type))
            set(node.outputs()[i], stack[i], values_.record_container(stack[i], as_numbers(shadow[i])));
        else
            set(node.outputs()[i], stack[i], values_.record(stack[i]));
    }
}

void ScriptTracer::run_dictionary_operator(Node& node) {
    auto stack = arguments(node);
    call(node, stack, /*for_real=*/true);
    if (node.schema().is_mutable()) {
        auto& dictionary = slots_.at(node.inputs()[0]);
        dictionary.number = values_.record(dictionary.content);
    }
    for (size_t i = 0; i < node.outputs().size(); ++i)
        set(node.outputs()[i], stack[i], values_.find(stack[i]));
}

}  // namespace mtlprune
