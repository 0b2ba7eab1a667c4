#include "tests/pruning/source_layers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace mtlprune::toy {
namespace {

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

Layer written_layer_norm(const std::string& name, int64_t channels) {
    return {name,
            {{"weight", {channels}}, {"bias", {channels}}},
            "x = x - x.mean([1], True)\n"
            "x = x / torch.sqrt((x * x).mean([1], True) + 1e-5)\n"
            "return x * self.weight.view([1, -1, 1, 1]) + self.bias.view([1, -1, 1, 1])",
            "m = (self.weight != 0).to(x.dtype).view([1, -1, 1, 1])\n" + masked_normalisation("[1]", true) +
                "return x * self.weight.view([1, -1, 1, 1]) + self.bias.view([1, -1, 1, 1])"};
}

Layer response_norm(const std::string& name, int64_t channels) {
    const std::string scale = "return x + x * (g / (mean + 1e-5)) * self.weight.view([1, -1, 1, 1])";
    return {name,
            {{"weight", {channels}}},
            "g = torch.sqrt((x * x).sum([2, 3], True))\nmean = g.mean([1], True)\n" + scale,
            "g = torch.sqrt((x * x).sum([2, 3], True))\n"
            "m = (self.weight != 0).to(x.dtype).view([1, -1, 1, 1])\n"
            "mean = (g * m).sum([1], True) / m.sum()\n" +
                scale};
}

Layer rms_norm(const std::string& name, int64_t channels, const std::string& square) {
    return {name,
            {{"weight", {channels}}},
            fmt::format("return x * torch.rsqrt(({}).mean([-1], True) + 1e-5) * self.weight", square),
            "m = (self.weight != 0).to(x.dtype)\n" + masked_normalisation("[-1]", false) +
                "return x * self.weight"};
}

Layer standardised_conv(const std::string& name, int64_t in, int64_t out, int64_t kernel,
                        bool by_batch_norm) {
    const std::string by_norm =
        "w = torch.batch_norm(self.weight.reshape([1, self.weight.size(0), -1]), self.gain.view([-1]), None, "
        "None, "
        "None, True, 0.0, 1e-5, False).reshape_as(self.weight)\n";
    const std::string by_hand =
        "w = self.weight - self.weight.mean([1, 2, 3], True)\n"
        "w = w / torch.sqrt((w * w).mean([1, 2, 3], True) + 1e-5) * self.gain\n";
    const std::string masked =
        "m = (self.weight != 0).to(x.dtype)\nn = m.sum([1, 2, 3], True).clamp(min=1)\n"
        "w = self.weight - (self.weight * m).sum([1, 2, 3], True) / n\n"
        "w = w / torch.sqrt((w * w * m).sum([1, 2, 3], True) / n + 1e-5) * m * self.gain\n";
    const auto convolve = fmt::format("return torch.conv2d(x, w, self.bias, [1, 1], [{0}, {0}])", kernel / 2);
    return {name,
            {{"weight", {out, in, kernel, kernel}}, {"bias", {out}}, {"gain", {out, 1, 1, 1}}},
            (by_batch_norm ? by_norm : by_hand) + convolve,
            masked + convolve};
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

Layer zeros(const std::string& name, const Shape& shape) {
    return {"", {{name, shape, true, true}}, "", ""};
}

}  // namespace mtlprune::toy
