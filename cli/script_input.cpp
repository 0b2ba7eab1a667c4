#include "cli/script_input.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>

#include "base/error.h"
#include "base/json_reader.h"

namespace mtlprune::cli {
namespace {

constexpr int64_t kMostElements = int64_t{1} << 31;

std::vector<int64_t> parse_shape(const std::string& text, const std::string& whole) {
    std::vector<int64_t> shape;
    int64_t elements = 1;
    for (size_t start = 0; start <= text.size();) {
        const size_t end = std::min(text.find('x', start), text.size());
        int64_t size = 0;
        const auto result = std::from_chars(text.data() + start, text.data() + end, size);
        if (result.ec != std::errc() || result.ptr != text.data() + end || size < 1 ||
            elements > kMostElements / size)
            throw Error("option", "--input", "sizes such as 1x3x224x224, perhaps with :int64",
                        "'" + whole + "'");
        shape.push_back(size);
        elements *= size;
        start = end + 1;
    }
    return shape;
}

c10::ScalarType type_named(const std::string& name) {
    const std::vector<std::pair<std::string, c10::ScalarType>> types = {{"float32", torch::kFloat32},
                                                                        {"float64", torch::kFloat64},
                                                                        {"int64", torch::kInt64},
                                                                        {"int32", torch::kInt32},
                                                                        {"bool", torch::kBool}};
    std::vector<std::string> names;
    for (const auto& [known, type] : types) {
        if (known == name) return type;
        names.push_back(known);
    }
    throw Error("option", "--input", "a type float32, float64, int64, int32 or bool",
                "'" + name + "'" + did_you_mean(name, names));
}

c10::ScalarType parameter_type(const torch::jit::Module& module) {
    for (const auto& parameter : module.parameters())
        if (parameter.is_floating_point()) return parameter.scalar_type();
    return torch::kFloat32;
}

}  // namespace

void add_coupling_options(po::options_description& options) {
    options.add_options()("input", po::value<std::vector<std::string>>()->composing(),
                          "shape of an example input, e.g. 1x3x224x224 or 2x16:int64; once per input")(
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

torch::jit::Module load_script(const std::string& path) {
    if (!std::filesystem::is_regular_file(path)) throw Error("TorchScript file", path, "a file", "none");
    try {
        auto module = torch::jit::load(path, torch::kCPU);
        module.eval();
        return module;
    } catch (const std::exception& error) {
        const std::string text = error.what();
        throw Error("TorchScript file", path, "a module saved by torch.jit.save",
                    text.substr(0, text.find('\n')));
    }
}

std::vector<std::string> input_texts(const po::variables_map& values) {
    if (values.count("input") == 0)
        throw Error("option", "--input", "the shape of an example input, e.g. 1x3x224x224", "none");
    return values["input"].as<std::vector<std::string>>();
}

std::vector<c10::IValue> example_inputs(const torch::jit::Module& module,
                                        const std::vector<std::string>& texts) {
    std::vector<c10::IValue> inputs;
    auto generator = at::detail::createCPUGenerator(0);
    for (const auto& text : texts) {
        const size_t colon = std::min(text.find(':'), text.size());
        const auto shape = parse_shape(text.substr(0, colon), text);
        const auto type = colon == text.size() ? parameter_type(module) : type_named(text.substr(colon + 1));
        auto input = torch::empty(shape, type);
        inputs.push_back(c10::isFloatingType(type) ? input.normal_(0, 1, generator)
                                                   : input.random_(0, 2, generator));
    }
    return inputs;
}

}  // namespace mtlprune::cli
