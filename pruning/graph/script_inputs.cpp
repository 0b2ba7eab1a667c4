#include "pruning/graph/script_inputs.h"

#include <fmt/format.h>

#include <unordered_map>

#include "base/error.h"

namespace mtlprune {
namespace {

using c10::IValue;
using c10::TypeKind;

IValue map_list(const IValue& value, const TensorChange& map) {
    c10::impl::GenericList mapped(value.toList().elementType());
    for (const IValue& element : value.toListRef()) mapped.push_back(map_tensors(element, map));
    return mapped;
}

IValue map_dictionary(const IValue& value, const TensorChange& map) {
    const auto dictionary = value.toGenericDict();
    c10::impl::GenericDict mapped(dictionary.keyType(), dictionary.valueType());
    for (const auto& item : dictionary) mapped.insert(item.key(), map_tensors(item.value(), map));
    return mapped;
}

c10::optional<IValue> as_list(const IValue& value, const c10::ListType& type) {
    if (!value.isList()) return c10::nullopt;
    c10::impl::GenericList list(type.getElementType());
    for (const IValue& given : value.toListRef()) {
        auto element = as_type(given, type.getElementType());
        if (!element) return c10::nullopt;
        list.push_back(std::move(*element));
    }
    return IValue(list);
}

c10::optional<IValue> as_tuple(const IValue& value, const c10::TupleType& type) {
    if (!value.isTuple()) return c10::nullopt;
    const auto& given = value.toTupleRef().elements();
    if (given.size() != type.elements().size()) return c10::nullopt;
    std::vector<IValue> elements;
    for (size_t i = 0; i < given.size(); ++i) {
        auto element = as_type(given[i], type.elements()[i]);
        if (!element) return c10::nullopt;
        elements.push_back(std::move(*element));
    }
    return IValue(c10::ivalue::Tuple::create(std::move(elements)));
}

c10::optional<IValue> as_dictionary(const IValue& value, const c10::DictType& type) {
    if (!value.isGenericDict()) return c10::nullopt;
    c10::impl::GenericDict dictionary(type.getKeyType(), type.getValueType());
    for (const auto& item : value.toGenericDict()) {
        auto key = as_type(item.key(), type.getKeyType());
        auto content = as_type(item.value(), type.getValueType());
        if (!key || !content) return c10::nullopt;
        dictionary.insert(std::move(*key), std::move(*content));
    }
    return IValue(dictionary);
}

c10::optional<IValue> as_one_of(const IValue& value, c10::ArrayRef<c10::TypePtr> types) {
    for (const auto& type : types)
        if (auto fitting = as_type(value, type)) return fitting;
    return c10::nullopt;
}

bool is_kind(const IValue& value, TypeKind kind) {
    switch (kind) {
        case TypeKind::TensorType:
            return value.isTensor();
        case TypeKind::IntType:
            return value.isInt();
        case TypeKind::FloatType:
            return value.isDouble();
        case TypeKind::BoolType:
            return value.isBool();
        case TypeKind::StringType:
            return value.isString();
        case TypeKind::NoneType:
            return value.isNone();
        case TypeKind::NumberType:
            return value.isInt() || value.isDouble();
        case TypeKind::DeviceObjType:
            return value.isDevice();
        case TypeKind::AnyType:
            return true;
        default:
            return false;
    }
}

}  // namespace

IValue map_tensors(const IValue& value, const TensorChange& map) {
    if (value.isTensor()) return value.toTensor().defined() ? map(value.toTensor()) : value.toTensor();
    if (value.isList()) return map_list(value, map);
    if (value.isGenericDict()) return map_dictionary(value, map);
    if (!value.isTuple()) return value;
    return c10::ivalue::Tuple::create(map_tensors(value.toTupleRef().elements().vec(), map));
}

std::vector<IValue> map_tensors(std::vector<IValue> values, const TensorChange& map) {
    for (auto& value : values) value = map_tensors(value, map);
    return values;
}

c10::optional<IValue> as_type(const IValue& value, const c10::TypePtr& type) {
    switch (type->kind()) {
        case TypeKind::OptionalType:
            return value.isNone() ? c10::make_optional(IValue())
                                  : as_type(value, type->expectRef<c10::OptionalType>().getElementType());
        case TypeKind::UnionType:
            return as_one_of(value, type->containedTypes());
        case TypeKind::ListType:
            return as_list(value, type->expectRef<c10::ListType>());
        case TypeKind::TupleType:
            return as_tuple(value, type->expectRef<c10::TupleType>());
        case TypeKind::DictType:
            return as_dictionary(value, type->expectRef<c10::DictType>());
        default:
            break;
    }
    if (type->kind() == TypeKind::FloatType && value.isInt())
        return IValue(static_cast<double>(value.toInt()));
    return is_kind(value, type->kind()) ? c10::make_optional(value) : c10::nullopt;
}

const c10::FunctionSchema& forward_schema(const torch::jit::Module& module) {
    const auto method = module.find_method("forward");
    if (!method) throw Error("TorchScript network", "module", "a method forward", "none");
    return method->function().getSchema();
}

std::string argument_name(const c10::FunctionSchema& schema, size_t number) {
    const auto& argument = schema.arguments().at(number);
    return fmt::format("argument {} ({}: {})", number, argument.name(), argument.type()->annotation_str());
}

c10::optional<IValue> default_argument(const c10::Argument& argument) {
    if (argument.default_value()) return argument.default_value();
    const auto kind = argument.type()->kind();
    if (kind == TypeKind::OptionalType || kind == TypeKind::NoneType) return IValue();
    return c10::nullopt;
}

std::vector<IValue> forward_arguments(const torch::jit::Module& module, const std::vector<IValue>& inputs) {
    const auto& schema = forward_schema(module);
    const size_t count = schema.arguments().size() - 1;
    if (inputs.size() > count)
        throw Error("TorchScript network", "forward", fmt::format("{} inputs", count),
                    std::to_string(inputs.size()));
    // One tensor given twice stays one.
    std::unordered_map<const c10::TensorImpl*, torch::Tensor> copies;
    const auto copy_of = [&](const torch::Tensor& tensor) {
        auto& copy = copies[tensor.unsafeGetTensorImpl()];
        if (!copy.defined()) copy = tensor.clone();
        return copy;
    };
    std::vector<IValue> arguments;
    for (size_t i = 0; i < count; ++i) {
        const auto& argument = schema.arguments()[i + 1];
        const bool is_given = i < inputs.size();
        const auto value = is_given ? as_type(inputs[i], argument.type()) : default_argument(argument);
        if (!value)
            throw Error("TorchScript network", argument_name(schema, i + 1), kind_of(*argument.type()),
                        is_given ? kind_of(inputs[i]) : "nothing");
        arguments.push_back(map_tensors(*value, copy_of));
    }
    return arguments;
}

std::string kind_of(const IValue& value) {
    if (value.isTensor()) return fmt::format("a tensor [{}]", fmt::join(value.toTensor().sizes(), ", "));
    return kind_of(*value.type());
}

std::string kind_of(const c10::Type& type) {
    switch (type.kind()) {
        case TypeKind::TensorType:
            return "a tensor";
        case TypeKind::IntType:
            return "an int";
        case TypeKind::FloatType:
            return "a float";
        case TypeKind::BoolType:
            return "a bool";
        case TypeKind::StringType:
            return "a str";
        case TypeKind::NoneType:
            return "None";
        case TypeKind::NumberType:
            return "a number";
        case TypeKind::ListType:
            return "a list";
        case TypeKind::TupleType:
            return fmt::format("a tuple of {}", type.containedTypes().size());
        case TypeKind::DictType:
            return "a dict";
        case TypeKind::OptionalType:
            return "None or " + kind_of(*type.expectRef<c10::OptionalType>().getElementType());
        default:
            return type.annotation_str();
    }
}

}  // namespace mtlprune
