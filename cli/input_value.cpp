#include "cli/input_value.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/jit_type.h>
#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/json_reader.h"

namespace mtlprune::cli {
namespace {

constexpr int64_t kMostElements = int64_t{1} << 31;

[[noreturn]] void refuse(const std::string& expected, const std::string& text) {
    throw Error("option", "--input", expected, "'" + text + "'");
}

template <typename Number>
std::optional<Number> whole_number(const std::string& text) {
    Number number{};
    const auto* end = text.data() + text.size();
    const auto result = std::from_chars(text.data(), end, number);
    if (text.empty() || result.ec != std::errc() || result.ptr != end) return std::nullopt;
    return number;
}

std::vector<int64_t> parse_shape(const std::string& text, const std::string& whole) {
    std::vector<int64_t> shape;
    int64_t elements = 1;
    for (size_t start = 0; start <= text.size();) {
        const size_t end = std::min(text.find('x', start), text.size());
        const auto size = whole_number<int64_t>(text.substr(start, end - start));
        if (!size || *size < 1 || elements > kMostElements / *size)
            refuse("sizes such as 1x3x224x224, perhaps with :int64", whole);
        shape.push_back(*size);
        elements *= *size;
        start = end + 1;
    }
    return shape;
}

c10::ScalarType type_named(const std::string& name) {
    const std::vector<std::pair<std::string, c10::ScalarType>> types = {
        {"float32", torch::kFloat32},   {"float64", torch::kFloat64}, {"float16", torch::kFloat16},
        {"bfloat16", torch::kBFloat16}, {"int64", torch::kInt64},     {"int32", torch::kInt32},
        {"int16", torch::kInt16},       {"int8", torch::kInt8},       {"uint8", torch::kUInt8},
        {"bool", torch::kBool}};
    std::vector<std::string> names;
    for (const auto& [known, type] : types) {
        if (known == name) return type;
        names.push_back(known);
    }
    throw Error("option", "--input", fmt::format("a type {}, or int, float, str", fmt::join(names, ", ")),
                "'" + name + "'" + did_you_mean(name, names));
}

}  // namespace

InputDrawer::InputDrawer(c10::ScalarType real) : real_(real), generator_(at::detail::createCPUGenerator(0)) {}

c10::IValue InputDrawer::draw(const std::string& text) {
    size_t at = 0;
    auto drawn = value(text, at, /*is_inside=*/false);
    if (at != text.size()) refuse("one value", text);
    return drawn;
}

c10::IValue InputDrawer::value(const std::string& text, size_t& at, bool is_inside) {
    if (at < text.size() && text[at] == '[') return sequence(text, at, ']');
    if (at < text.size() && text[at] == '(') return sequence(text, at, ')');
    if (at < text.size() && text[at] == '{') return dictionary(text, at);
    const size_t start = at;
    at = is_inside ? std::min(text.find_first_of(",])}", start), text.size()) : text.size();
    return single(text.substr(start, at - start));
}

c10::IValue InputDrawer::sequence(const std::string& text, size_t& at, char end) {
    std::vector<c10::IValue> values;
    ++at;
    while (at < text.size() && text[at] != end) {
        values.push_back(value(text, at, /*is_inside=*/true));
        if (at < text.size() && text[at] == ',')
            ++at;
        else if (at >= text.size() || text[at] != end)
            refuse(fmt::format("a '{}' at the end of it", end), text);
    }
    if (at >= text.size()) refuse(fmt::format("a '{}' at the end of it", end), text);
    ++at;
    if (end == ')') return c10::ivalue::Tuple::create(std::move(values));
    c10::impl::GenericList list(c10::AnyType::get());
    for (auto& item : values) list.push_back(std::move(item));
    return list;
}

c10::IValue InputDrawer::dictionary(const std::string& text, size_t& at) {
    c10::impl::GenericDict dictionary(c10::StringType::get(), c10::AnyType::get());
    ++at;
    while (at < text.size() && text[at] != '}') {
        const size_t equals = text.find('=', at);
        if (equals == std::string::npos) refuse("NAME=VALUE between the braces", text);
        const auto name = text.substr(at, equals - at);
        at = equals + 1;
        dictionary.insert(name, value(text, at, /*is_inside=*/true));
        if (at < text.size() && text[at] == ',')
            ++at;
        else if (at >= text.size() || text[at] != '}')
            refuse("a '}' at the end of it", text);
    }
    if (at >= text.size()) refuse("a '}' at the end of it", text);
    ++at;
    return dictionary;
}

c10::IValue InputDrawer::single(const std::string& text) {
    if (text == "none") return {};
    const size_t colon = text.rfind(':');
    const auto type = colon == std::string::npos ? "" : text.substr(colon + 1);
    const auto content = text.substr(0, colon);
    if (type == "str") return content;
    if (type == "int") {
        if (const auto number = whole_number<int64_t>(content)) return *number;
        refuse("a whole number before :int", text);
    }
    if (type == "float") {
        if (const auto number = whole_number<double>(content)) return *number;
        refuse("a number before :float", text);
    }
    if (type == "bool" && (content == "true" || content == "false")) return content == "true";
    return tensor(text);
}

torch::Tensor InputDrawer::tensor(const std::string& text) {
    const size_t colon = std::min(text.find(':'), text.size());
    const auto shape = parse_shape(text.substr(0, colon), text);
    const auto named = colon == text.size() ? "" : text.substr(colon + 1);
    const size_t less = std::min(named.find('<'), named.size());
    const auto type = colon == text.size() ? real_ : type_named(named.substr(0, less));
    if (c10::isFloatingType(type)) {
        if (less < named.size()) refuse("a range of integers only", text);
        const bool is_half = type != torch::kFloat32 && type != torch::kFloat64;
        return torch::empty(shape, is_half ? torch::kFloat32 : type).normal_(0, 1, generator_).to(type);
    }
    const auto below = less < named.size() ? whole_number<int64_t>(named.substr(less + 1)) : 2;
    if (!below || *below < 1) refuse("a number above 0 after <", text);
    return torch::empty(shape, type).random_(0, *below, generator_);
}

std::string example_of(const c10::Type& type) {
    const auto inner = [&](size_t i) { return example_of(*type.containedTypes().at(i)); };
    switch (type.kind()) {
        case c10::TypeKind::IntType:
            return "3:int";
        case c10::TypeKind::FloatType:
        case c10::TypeKind::NumberType:
            return "0.5:float";
        case c10::TypeKind::BoolType:
            return "true:bool";
        case c10::TypeKind::StringType:
            return "text:str";
        case c10::TypeKind::NoneType:
            return "none";
        case c10::TypeKind::ListType:
            return fmt::format("[{0},{0}]", inner(0));
        case c10::TypeKind::DictType:
            return fmt::format("{{name={}}}", inner(1));
        case c10::TypeKind::OptionalType:
            return example_of(*type.expectRef<c10::OptionalType>().getElementType());
        case c10::TypeKind::TupleType: {
            std::vector<std::string> elements;
            for (size_t i = 0; i < type.containedTypes().size(); ++i) elements.push_back(inner(i));
            return fmt::format("({})", fmt::join(elements, ","));
        }
        default:
            return "1x3x224x224";
    }
}

}  // namespace mtlprune::cli
