#include "cli/script_input.h"

#include <fmt/format.h>

#include <cctype>
#include <optional>

#include "base/error.h"
#include "base/json_reader.h"
#include "cli/input_value.h"
#include "pruning/graph/script_inputs.h"

namespace mtlprune::cli {
namespace {

constexpr const char* kInputHelp =
    "an example input, once per argument of forward: sizes 1x3x224x224, with a type 2x16:int64, with a range "
    "2x16:int64<100 (below 100; else 0 or 1); 3:int, 0.5:float, true:bool, text:str, none; "
    "[1x3x8x8,1x3x8x8] a list, (1x8,3:int) a tuple, {image=1x3x8x8,mask=1x8x8} a dict; NAME=... by name. "
    "Arguments with defaults may be left out";

c10::ScalarType parameter_type(const torch::jit::Module& module) {
    for (const auto& parameter : module.parameters())
        if (parameter.is_floating_point()) return parameter.scalar_type();
    return torch::kFloat32;
}

std::vector<std::string> input_texts(const po::variables_map& values) {
    return values.count("input") > 0 ? values["input"].as<std::vector<std::string>>()
                                     : std::vector<std::string>();
}

/// "mask" of "mask=1x8:bool"; "" where no name stands in front.
std::string name_before(const std::string& text) {
    size_t end = 0;
    while (end < text.size() &&
           (std::isalnum(static_cast<unsigned char>(text[end])) != 0 || text[end] == '_'))
        ++end;
    const bool is_name = end > 0 && std::isdigit(static_cast<unsigned char>(text[0])) == 0;
    return is_name && end < text.size() && text[end] == '=' ? text.substr(0, end) : "";
}

size_t argument_named(const c10::FunctionSchema& schema, const std::string& name) {
    std::vector<std::string> names;
    for (size_t i = 1; i < schema.arguments().size(); ++i) {
        names.push_back(schema.arguments()[i].name());
        if (names.back() == name) return i;
    }
    throw Error("option", "--input", fmt::format("an argument of forward ({})", fmt::join(names, ", ")),
                "'" + name + "'" + did_you_mean(name, names));
}

Error too_many(const c10::FunctionSchema& schema, size_t count) {
    std::vector<std::string> arguments;
    for (size_t i = 1; i < schema.arguments().size(); ++i)
        arguments.push_back(schema.arguments()[i].name() + ": " +
                            schema.arguments()[i].type()->annotation_str());
    return {"option", "--input", fmt::format("at most {} ({})", arguments.size(), fmt::join(arguments, ", ")),
            std::to_string(count)};
}

}  // namespace

void add_coupling_options(po::options_description& options) {
    options.add_options()("input", po::value<std::vector<std::string>>()->composing(), kInputHelp)(
        "whole-heads", po::bool_switch(),
        "attention loses whole heads instead of the same channels of every head")(
        "shrink-output", po::value<std::vector<size_t>>()->composing(),
        "number of an output whose channels may leave");
}

CouplingOptions read_coupling_options(const po::variables_map& values) {
    CouplingOptions options;
    options.whole_heads = values["whole-heads"].as<bool>();
    if (values.count("shrink-output") > 0)
        options.shrinkable_outputs = values["shrink-output"].as<std::vector<size_t>>();
    return options;
}

std::vector<c10::IValue> example_inputs(const torch::jit::Module& module, const po::variables_map& values) {
    const auto& schema = forward_schema(module);
    std::vector<std::optional<c10::IValue>> given(schema.arguments().size());
    InputDrawer drawer(parameter_type(module));
    size_t next = 1;
    for (const auto& text : input_texts(values)) {
        const auto name = name_before(text);
        const size_t number = name.empty() ? next++ : argument_named(schema, name);
        if (number >= given.size()) throw too_many(schema, input_texts(values).size());
        if (given[number]) throw Error("option", "--input", "one of " + argument_name(schema, number), "two");
        const auto value = drawer.draw(name.empty() ? text : text.substr(name.size() + 1));
        const auto& type = *schema.arguments()[number].type();
        if (!as_type(value, schema.arguments()[number].type()))
            throw Error("option --input", argument_name(schema, number),
                        fmt::format("{}, e.g. --input '{}'", kind_of(type), example_of(type)),
                        fmt::format("{} ('{}')", kind_of(value), text));
        given[number] = value;
    }
    std::vector<c10::IValue> inputs;
    for (size_t i = 1; i < given.size(); ++i) {
        const auto& argument = schema.arguments()[i];
        const auto value = given[i] ? c10::make_optional(*given[i]) : default_argument(argument);
        if (!value)
            throw Error(
                "option", "--input",
                fmt::format("{}, e.g. --input '{}'", argument_name(schema, i), example_of(*argument.type())),
                "none");
        inputs.push_back(*value);
    }
    return inputs;
}

}  // namespace mtlprune::cli
