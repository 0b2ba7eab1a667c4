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
    torch::jit::Module root(name, unit);
    auto value = values.begin();
    for (const auto& layer : network.layers) {
        auto owner = layer.name.empty() ? root : torch::jit::Module(name + "_" + layer.name, unit);
        owner.register_attribute("training", c10::BoolType::get(), false);
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

Layer convolution(const char* op, const std::string& name, Shape weight, int64_t groups) {
    const int64_t out = weight[0], kernel = weight[2];
    const Shape padding(weight.size() - 2, kernel / 2), ones(weight.size() - 2, 1);
    auto body = fmt::format("return torch.{}(x, self.weight, self.bias, {}, {}, {}, {})", op, ones, padding,
                            ones, groups);
    return {name, {{"weight", std::move(weight)}, {"bias", {out}}}, std::move(body), ""};
}

/// Statistics over the axes `axes` of x, where the mask m says which elements count.
std::string masked_normalisation(const std::string& axes, bool centred) {
    std::string body = fmt::format("n = m.expand_as(x).sum({0}, True)\n", axes);
    if (centred) body += fmt::format("x = x - (x * m).sum({0}, True) / n\n", axes);
    return body + fmt::format("x = x / torch.sqrt((x * x * m).sum({0}, True) / n + 1e-5)\n", axes);
}

Layer recurrent(const char* op, int64_t gates, const std::string& name, int64_t in, int64_t hidden,
                int64_t layers, bool bidirectional) {
    Layer layer{name, {}, "", ""};
    std::string list;
    for (int64_t l = 0; l < layers; ++l)
        for (const char* suffix : {"", "_reverse"}) {
            if (*suffix != '\0' && !bidirectional) continue;
            const int64_t width = l == 0 ? in : hidden * (bidirectional ? 2 : 1);
            const Shape shapes[] = {{gates * hidden, width}, {gates * hidden, hidden}, {gates * hidden}};
            const char* kinds[] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
            for (size_t k = 0; k < 4; ++k) {
                layer.tensors.push_back(
                    {fmt::format("{}_l{}{}", kinds[k], l, suffix), shapes[std::min<size_t>(k, 2)]});
                list += (list.empty() ? "self." : ", self.") + layer.tensors.back().name;
            }
        }
    const int64_t states = layers * (bidirectional ? 2 : 1);
    // The recurrent weight knows the hidden size, as the attribute of a module would.
    const auto state =
        fmt::format("torch.zeros([{}, x.size(0), self.weight_hh_l0.size(1)], dtype=x.dtype)", states);
    const std::string start = gates == 4 ? "[" + state + ", " + state + "]" : state;
    const auto call = fmt::format("torch.{}(x, {}, [{}], True, {}, 0.0, False, {}, True)", op, start, list,
                                  layers, bidirectional ? "True" : "False");
    layer.body = gates == 4 ? "out, h, c = " + call + "\nreturn out" : "out, h = " + call + "\nreturn out";
    return layer;
}

}  // namespace

Layer conv(const std::string& name, int64_t in, int64_t out, int64_t kernel, int64_t groups) {
    return convolution("conv2d", name, {out, in / groups, kernel, kernel}, groups);
}

Layer conv1d(const std::string& name, int64_t in, int64_t out, int64_t kernel, int64_t groups) {
    return convolution("conv1d", name, {out, in / groups, kernel}, groups);
}

Layer conv3d(const std::string& name, int64_t in, int64_t out, int64_t kernel, int64_t groups) {
    return convolution("conv3d", name, {out, in / groups, kernel, kernel, kernel}, groups);
}

Layer strided_conv(const std::string& name, int64_t in, int64_t out, int64_t stride) {
    return {name,
            {{"weight", {out, in, stride, stride}}, {"bias", {out}}},
            fmt::format("return torch.conv2d(x, self.weight, self.bias, [{0}, {0}])", stride),
            ""};
}

Layer transposed_conv(const std::string& name, int64_t in, int64_t out, int64_t stride, int64_t groups) {
    return {name,
            {{"weight", {in, out / groups, stride, stride}}, {"bias", {out}}},
            fmt::format(
                "return torch.conv_transpose2d(x, self.weight, self.bias, [{0}, {0}], [0, 0], [0, 0], {1})",
                stride, groups),
            ""};
}

Layer linear(const std::string& name, int64_t in, int64_t out) {
    return {
        name, {{"weight", {out, in}}, {"bias", {out}}}, "return torch.linear(x, self.weight, self.bias)", ""};
}

Layer batch_norm(const std::string& name, int64_t channels) {
    return {name,
            {{"weight", {channels}},
             {"bias", {channels}},
             {"running_mean", {channels}, true},
             {"running_var", {channels}, true}},
            "return torch.batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var, "
            "False, 0.1, 1e-5, False)",
            ""};
}

Layer instance_norm(const std::string& name, int64_t channels, bool running_statistics) {
    Layer layer{name, {{"weight", {channels}}, {"bias", {channels}}}, "", ""};
    if (!running_statistics) {
        layer.body =
            "return torch.instance_norm(x, self.weight, self.bias, None, None, True, 0.1, 1e-5, False)";
        return layer;
    }
    layer.tensors.push_back({"running_mean", {channels}, true});
    layer.tensors.push_back({"running_var", {channels}, true});
    layer.body =
        "return torch.instance_norm(x, self.weight, self.bias, self.running_mean, self.running_var, "
        "False, 0.1, 1e-5, False)";
    return layer;
}

Layer group_norm(const std::string& name, int64_t channels, int64_t groups) {
    const std::string masked = fmt::format(
        "shape = x.shape\n"
        "x = x.reshape([x.size(0), {0}, x.size(1) // {0}, -1])\n"
        "m = (self.weight != 0).to(x.dtype).view([1, {0}, -1, 1])\n",
        groups);
    return {name,
            {{"weight", {channels}}, {"bias", {channels}}},
            fmt::format("return torch.group_norm(x, {}, self.weight, self.bias, 1e-5, False)", groups),
            masked + masked_normalisation("[2, 3]", true) +
                "x = x.reshape(shape)\n"
                "wide = [1, -1] + [1] * (len(shape) - 2)\n"
                "return x * self.weight.view(wide) + self.bias.view(wide)"};
}

Layer layer_norm(const std::string& name, const Shape& shape) {
    Shape axes;
    for (size_t i = shape.size(); i > 0; --i) axes.push_back(-static_cast<int64_t>(i));
    return {name,
            {{"weight", shape}, {"bias", shape}},
            "return torch.layer_norm(x, self.weight.shape, self.weight, self.bias, 1e-5, False)",
            "m = (self.weight != 0).to(x.dtype)\n" + masked_normalisation(fmt::format("{}", axes), true) +
                "return x * self.weight + self.bias"};
}

Layer rms_norm(const std::string& name, int64_t channels) {
    return {name,
            {{"weight", {channels}}},
            "return x * torch.rsqrt((x * x).mean([-1], True) + 1e-5) * self.weight",
            "m = (self.weight != 0).to(x.dtype)\n" + masked_normalisation("[-1]", false) +
                "return x * self.weight"};
}

Layer prelu(const std::string& name, int64_t channels) {
    return {name, {{"weight", {channels}}}, "return torch.prelu(x, self.weight)", ""};
}

Layer embedding(const std::string& name, int64_t count, int64_t width) {
    return {name, {{"weight", {count, width}}}, "return torch.embedding(self.weight, x)", ""};
}

Layer lstm(const std::string& name, int64_t in, int64_t hidden, int64_t layers, bool bidirectional) {
    return recurrent("lstm", 4, name, in, hidden, layers, bidirectional);
}

Layer gru(const std::string& name, int64_t in, int64_t hidden, int64_t layers, bool bidirectional) {
    return recurrent("gru", 3, name, in, hidden, layers, bidirectional);
}

Layer parameter(const std::string& name, const Shape& shape) {
    return {"", {{name, shape}}, "", ""};
}

Layer buffer(const std::string& name, const Shape& shape) {
    return {"", {{name, shape, true}}, "", ""};
}

std::vector<NamedValue> values_of(const SourceNetwork& network, c10::ScalarType type) {
    std::vector<NamedValue> values;
    uint64_t key = 1;
    for (const auto& layer : network.layers)
        for (const auto& tensor : layer.tensors) {
            auto value = uniform(tensor.shape, key++);
            // Running variances are positive; no value is so small that float32 noise could rank it.
            if (tensor.is_buffer) value = value.abs() + 0.5;
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
    const auto code = code_of(script_module(network, values));
    const auto inputs = inputs_of(network, values.front().value.scalar_type());
    const auto run_code = [&](torch::jit::Stack arguments) {
        arguments.insert(arguments.begin(), script_module(network, values)._ivalue());
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
