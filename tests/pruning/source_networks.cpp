#include "tests/pruning/source_networks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/runtime/interpreter.h>

#include <sstream>
#include <stdexcept>

namespace mtlprune::toy {
namespace {

std::string full_name(const Layer& layer, const SourceTensor& tensor) {
    return layer.name.empty() ? tensor.name : layer.name + "." + tensor.name;
}

/// "def forward(self, x, y):" and the indented statements.
std::string method(const std::vector<std::string>& arguments, const std::string& body) {
    std::string text = "def forward(self";
    for (const auto& argument : arguments) text += ", " + argument;
    text += "):\n";
    std::istringstream lines(body);
    for (std::string line; std::getline(lines, line);) text += "    " + line + "\n";
    return text;
}

std::string network_method(const SourceNetwork& network) {
    std::vector<std::string> arguments;
    for (size_t i = 0; i < network.inputs.size(); ++i) arguments.emplace_back(1, "xyz"[i]);
    auto body = network.body;
    for (const auto& layer : network.layers) {
        const auto call = "self." + layer.name + "(", full = "self." + layer.name + ".forward(";
        for (size_t at = body.find(call); at != std::string::npos; at = body.find(call, at + full.size()))
            body.replace(at, call.size(), full);
    }
    return method(arguments, body);
}

/// The network's layers with their tensors and without methods.
torch::jit::Module tensors_only(const SourceNetwork& network, const std::vector<NamedValue>& values) {
    const auto unit = std::make_shared<torch::jit::CompilationUnit>();
    const auto name = "__torch__." + network.name;
    const auto with_mode = [&](const std::string& type) {
        torch::jit::Module module(type, unit);
        module.register_attribute("training", c10::BoolType::get(), false);
        return module;
    };
    auto root = with_mode(name);
    auto value = values.begin();
    for (const auto& layer : network.layers) {
        auto owner = layer.name.empty() ? root : with_mode(name + "_" + layer.name);
        for (const auto& tensor : layer.tensors) {
            if (tensor.is_buffer)
                owner.register_buffer(tensor.name, (value++)->value);
            else
                owner.register_parameter(tensor.name, (value++)->value, false);
        }
        if (!layer.name.empty()) root.register_module(layer.name, owner);
    }
    return root;
}

/// For the interpreter, which calls the operators one after the other: the script is only their text.
std::shared_ptr<torch::jit::Code> code_of(const torch::jit::Module& script) {
    auto graph = script.get_method("forward").graph()->copy();
    torch::jit::Inline(*graph);
    return std::make_shared<torch::jit::Code>(graph, "forward");
}

}  // namespace

std::vector<NamedValue> values_of(const SourceNetwork& network, c10::ScalarType type) {
    std::vector<NamedValue> values;
    uint64_t key = 1;
    for (const auto& layer : network.layers)
        for (const auto& tensor : layer.tensors) {
            auto value = uniform(tensor.shape, key++);
            // Running variances are positive; no value is so small that float32 noise could rank it.
            if (tensor.is_buffer) value = value.abs() + 0.5;
            if (tensor.is_zero) value = torch::zeros_like(value);
            values.push_back({full_name(layer, tensor), value.to(type), tensor.is_buffer});
        }
    return values;
}

std::vector<torch::Tensor> inputs_of(const SourceNetwork& network, c10::ScalarType type, uint64_t key) {
    std::vector<torch::Tensor> inputs;
    for (const auto& input : network.inputs) {
        const auto drawn = uniform(input.shape, key++);
        inputs.push_back(input.below > 0 ? ((drawn + 1) / 2 * input.below).floor().to(torch::kLong)
                                         : drawn.to(type));
    }
    return inputs;
}

std::string source_text(const SourceNetwork& network) {
    std::string text = "# " + network.name;
    for (const auto& input : network.inputs) text += fmt::format(" {}", input.shape);
    text += "\n";
    for (const auto& layer : network.layers) {
        for (const auto& tensor : layer.tensors)
            text += fmt::format("# {} {}{}\n", full_name(layer, tensor), tensor.shape,
                                tensor.is_buffer ? " buffer" : "");
        if (!layer.body.empty()) text += "# " + layer.name + "\n" + method({"x"}, layer.body);
    }
    return text + network_method(network);
}

torch::jit::Module script_module(const SourceNetwork& network, const std::vector<NamedValue>& values,
                                 bool masked) {
    auto root = tensors_only(network, values);
    for (const auto& layer : network.layers) {
        if (layer.name.empty()) continue;
        const bool by_mask = masked && !layer.masked_body.empty();
        root.attr(layer.name).toModule().define(method({"x"}, by_mask ? layer.masked_body : layer.body));
    }
    root.define(network_method(network));
    return root;
}

torch::jit::Module traced_module(const SourceNetwork& network, const std::vector<NamedValue>& values) {
    auto traced = tensors_only(network, values);
    const auto script = script_module(network, values);
    const auto code = code_of(script);
    const auto inputs = inputs_of(network, values.front().value.scalar_type());
    const auto run_code = [&](torch::jit::Stack arguments) {
        arguments.insert(arguments.begin(), script._ivalue());
        torch::jit::InterpreterState(*code).run(arguments);
        return arguments;
    };
    const auto state = torch::jit::tracer::trace(
                           {inputs.begin(), inputs.end()}, run_code,
                           [](const auto&) { return std::string(); }, /*strict=*/false, false, &traced)
                           .first;
    const auto name = c10::QualifiedName(*traced.type()->name(), "forward");
    traced.type()->addMethod(traced._ivalue()->compilation_unit()->create_function(name, state->graph));
    return traced;
}

Network cpp_module(const SourceNetwork& network, const std::vector<NamedValue>& values) {
    Network result;
    auto value = values.begin();
    for (const auto& layer : network.layers) {
        auto owner = result.module;
        if (!layer.name.empty())
            owner = owner->register_module(layer.name, std::make_shared<torch::nn::Module>(layer.name));
        for (const auto& tensor : layer.tensors) {
            if (tensor.is_buffer)
                owner->register_buffer(tensor.name, (value++)->value);
            else
                owner->register_parameter(tensor.name, (value++)->value, /*requires_grad=*/false);
        }
    }
    result.module->eval();
    const auto script = script_module(network, values);
    const auto code = code_of(script);
    auto module = result.module;
    result.forward = [=](const std::vector<torch::Tensor>& inputs) {
        for (const auto* tensors : {"parameters", "buffers"}) {
            const bool buffers = *tensors == 'b';
            for (const auto& item : buffers ? module->named_buffers() : module->named_parameters()) {
                const auto dot = item.key().rfind('.');
                auto owner =
                    dot == std::string::npos ? script : script.attr(item.key().substr(0, dot)).toModule();
                owner.setattr(item.key().substr(dot == std::string::npos ? 0 : dot + 1), item.value());
            }
        }
        torch::jit::Stack stack = {script._ivalue()};
        stack.insert(stack.end(), inputs.begin(), inputs.end());
        torch::jit::InterpreterState(*code).run(stack);
        return tensors_in(stack.back());
    };
    return result;
}

std::vector<torch::Tensor> tensors_in(const c10::IValue& output) {
    if (output.isTensor()) return {output.toTensor()};
    std::vector<torch::Tensor> tensors;
    const auto append = [&](const c10::IValue& item) {
        for (auto& tensor : tensors_in(item)) tensors.push_back(std::move(tensor));
    };
    if (output.isTuple())
        for (const auto& item : output.toTupleRef().elements()) append(item);
    else if (output.isList())
        for (const c10::IValue& item : output.toListRef()) append(item);
    else if (output.isGenericDict())
        for (const auto& item : output.toGenericDict()) append(item.value());
    return tensors;
}

std::vector<torch::Tensor> run(torch::jit::Module module, const std::vector<torch::Tensor>& inputs) {
    return tensors_in(module.forward({inputs.begin(), inputs.end()}));
}

}  // namespace mtlprune::toy
