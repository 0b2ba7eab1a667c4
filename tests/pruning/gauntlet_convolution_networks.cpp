// Kinds of convolution, and parameters that scale or shift channels.
#include "tests/pruning/gauntlet_networks.h"

namespace mtlprune::toy {
namespace {

const Layer kLast = conv("o", 16, 4);

/// conv a [16] -> `body` with further layers -> o
SourceNetwork after_a(const std::string& name, std::vector<Layer> layers, const std::string& body,
                      std::map<std::string, Shape> after) {
    layers.insert(layers.begin(), conv("a", 3, 16));
    after.emplace("o.weight", Shape{4, 8, 1, 1});
    after.emplace("a.weight", Shape{8, 3, 1, 1});
    return {name, kImage, std::move(layers), body, std::move(after)};
}

std::vector<SourceNetwork> kinds() {
    return {
        {"plain",
         kImage,
         {conv("a", 3, 16, 3), batch_norm("n", 16), kLast},
         "return self.o(torch.relu(self.n(self.a(x))))",
         {{"a.weight", {8, 3, 3, 3}}, {"n.running_var", {8}}, {"o.weight", {4, 8, 1, 1}}}},
        after_a("grouped_conv", {conv("g", 16, 32, 3, 4), conv("o", 32, 4)},
                "return self.o(self.g(self.a(x)))",
                {{"g.weight", {16, 2, 3, 3}}, {"o.weight", {4, 16, 1, 1}}}),
        after_a("depthwise", {conv("d", 16, 16, 3, 16), kLast}, "return self.o(self.d(self.a(x)))",
                {{"d.weight", {8, 1, 3, 3}}, {"d.bias", {8}}}),
        after_a("depthwise_multiplier", {conv("d", 16, 48, 3, 16), conv("o", 48, 4)},
                "return self.o(self.d(self.a(x)))",
                {{"d.weight", {24, 1, 3, 3}}, {"o.weight", {4, 24, 1, 1}}}),
        after_a("depthwise_after_grouped", {conv("g", 16, 16, 3, 2), conv("d", 16, 16, 3, 16), kLast},
                "return self.o(self.d(torch.relu(self.g(self.a(x)))))",
                {{"g.weight", {8, 4, 3, 3}}, {"d.weight", {8, 1, 3, 3}}}),
        after_a("transposed_conv", {transposed_conv("u", 16, 6, 2), conv("o", 6, 4)},
                "return self.o(self.u(self.a(x)))",
                {{"u.weight", {8, 3, 2, 2}}, {"u.bias", {3}}, {"o.weight", {4, 3, 1, 1}}}),
        after_a("grouped_transposed_conv", {transposed_conv("u", 16, 8, 2, 4), conv("o", 8, 4)},
                "return self.o(self.u(self.a(x)))",
                {{"u.weight", {8, 1, 2, 2}}, {"u.bias", {4}}, {"o.weight", {4, 4, 1, 1}}}),
        after_a("depthwise_transposed_conv", {transposed_conv("u", 16, 16, 2, 16), kLast},
                "return self.o(self.u(self.a(x)))", {{"u.weight", {8, 1, 2, 2}}, {"u.bias", {8}}}),
        {"conv1d_chain",
         {{{2, 3, 9}}},
         {conv1d("a", 3, 16, 3), batch_norm("n", 16), conv1d("b", 16, 8, 3, 2), conv1d("o", 8, 4)},
         "return self.o(torch.max_pool1d(torch.relu(self.b(self.n(self.a(x)))), [3]))",
         {{"a.weight", {8, 3, 3}}, {"b.weight", {4, 4, 3}}, {"o.weight", {4, 4, 1}}}},
        {"conv3d_chain",
         {{{1, 3, 4, 4, 4}}},
         {conv3d("a", 3, 8, 3), batch_norm("n", 8), conv3d("d", 8, 8, 3, 8), conv3d("o", 8, 4)},
         "return self.o(torch.avg_pool3d(self.d(torch.relu(self.n(self.a(x)))), [2]))",
         {{"a.weight", {4, 3, 3, 3, 3}}, {"d.weight", {4, 1, 3, 3, 3}}, {"o.weight", {4, 4, 1, 1, 1}}}},
        {"functional_conv_param",
         kImage,
         {parameter("w", {8, 16, 1, 1}), conv("a", 3, 16), conv("o", 8, 4)},
         "return self.o(torch.conv2d(self.a(x), self.w))",
         {{"w", {4, 8, 1, 1}}, {"a.weight", {8, 3, 1, 1}}, {"o.weight", {4, 4, 1, 1}}}},
        {"asymmetric_kernels_and_padding",
         kImage,
         {conv("a", 3, 16), parameter("w", {8, 16, 1, 3}), conv("o", 8, 4)},
         "return self.o(torch.conv2d(torch.constant_pad_nd(self.a(x), [1, 1, 0, 0], 0.0), self.w, None, [2, "
         "1]))",
         {{"w", {4, 8, 1, 3}}}},
    };
}

std::vector<SourceNetwork> normalised_weights() {
    const char* kStandardised =
        "w = self.w\n"
        "centred = w - w.mean([1, 2, 3], True)\n"
        "w = centred / (torch.sqrt((centred * centred).mean([1, 2, 3], True)) + 1e-5)\n"
        "return self.o(torch.relu(torch.conv2d(x, w)))";
    return {
        {"weight_norm_conv",
         kImage,
         {parameter("g", {16, 1, 1, 1}), parameter("v", {16, 3, 1, 1}), parameter("b", {16}), kLast},
         "return self.o(torch.relu(torch.conv2d(x, torch._weight_norm(self.v, self.g, 0), self.b)))",
         {{"g", {8, 1, 1, 1}}, {"v", {8, 3, 1, 1}}, {"b", {8}}, {"o.weight", {4, 8, 1, 1}}},
         false,
         {"v"}},
        // One norm of the whole matrix: nothing of it may leave without changing the rest.
        {"weight_norm_of_all",
         {{{2, 3}}},
         {parameter("a", {16, 3}), parameter("g", {1}), parameter("v", {4, 16})},
         "return torch.linear(torch.relu(torch.linear(x, self.a)), torch._weight_norm(self.v, self.g, -1))",
         {{"a", {16, 3}}, {"v", {4, 16}}}},
        {"weight_norm_by_hand",
         kImage,
         {parameter("g", {16, 1, 1, 1}), parameter("v", {16, 3, 1, 1}), kLast},
         "w = self.g * self.v / torch.sqrt((self.v * self.v).sum([1, 2, 3], True))\n"
         "return self.o(torch.conv2d(x, w))",
         {{"g", {8, 1, 1, 1}}, {"v", {8, 3, 1, 1}}, {"o.weight", {4, 8, 1, 1}}},
         false,
         {"v"}},
        // A row of zeros would be normalised to zeros: rows may leave like those of any weight.
        {"weight_standardisation",
         kImage,
         {parameter("w", {16, 3, 3, 3}), kLast},
         kStandardised,
         {{"w", {8, 3, 3, 3}}, {"o.weight", {4, 8, 1, 1}}}},
        {"scaled_weight",
         kImage,
         {conv("a", 3, 16), parameter("s", {8, 1, 1, 1}), parameter("w", {8, 16, 1, 1}), conv("o", 8, 4)},
         "return self.o(torch.conv2d(self.a(x), self.w * self.s))",
         {{"s", {4, 1, 1, 1}}, {"w", {4, 8, 1, 1}}, {"o.weight", {4, 4, 1, 1}}}},
        {"summed_weights",
         kImage,
         {conv("a", 3, 16), parameter("w", {8, 16, 1, 1}), parameter("v", {8, 16, 1, 1}), conv("o", 8, 4)},
         "return self.o(torch.conv2d(self.a(x), self.w + self.v))",
         {{"w", {4, 8, 1, 1}}, {"v", {4, 8, 1, 1}}, {"o.weight", {4, 4, 1, 1}}}},
        {"low_rank_weight",
         kImage,
         {conv("a", 3, 16), parameter("up", {8, 6}), parameter("down", {6, 16}), conv("o", 8, 4)},
         "w = torch.matmul(self.up, self.down)\n"
         "return self.o(torch.relu(torch.conv2d(self.a(x), w.unsqueeze(-1).unsqueeze(-1))))",
         {{"up", {4, 3}}, {"down", {3, 8}}, {"o.weight", {4, 4, 1, 1}}}},
    };
}

std::vector<SourceNetwork> scales() {
    return {
        after_a("squeeze_excite", {linear("s", 16, 4), linear("t", 4, 16), kLast},
                "y = self.a(x)\n"
                "s = torch.sigmoid(self.t(torch.relu(self.s(y.mean([2, 3])))))\n"
                "return self.o(y * s.unsqueeze(-1).unsqueeze(-1))",
                {{"s.weight", {2, 8}}, {"t.weight", {8, 2}}}),
        after_a("squeeze_excite_conv", {conv("s", 16, 4), conv("t", 4, 16), kLast},
                "y = self.a(x)\n"
                "s = torch.hardsigmoid(self.t(torch.relu(self.s(torch.adaptive_avg_pool2d(y, [1, 1])))))\n"
                "return self.o(s * y)",
                {{"s.weight", {2, 8, 1, 1}}, {"t.weight", {8, 2, 1, 1}}}),
        after_a("spatial_attention_1ch", {conv("s", 16, 1), kLast},
                "y = self.a(x)\nreturn self.o(y * torch.sigmoid(self.s(y)))", {{"s.weight", {1, 8, 1, 1}}}),
        after_a("instancenorm_affine", {instance_norm("n", 16), kLast}, "return self.o(self.n(self.a(x)))",
                {{"n.weight", {8}}, {"n.bias", {8}}}),
        after_a("instancenorm_running_statistics", {instance_norm("n", 16, true), kLast},
                "return self.o(self.n(self.a(x)))", {{"n.weight", {8}}, {"n.running_mean", {8}}}),
        after_a("instancenorm_plain", {kLast},
                "y = torch.instance_norm(self.a(x), None, None, None, None, True, 0.1, 1e-5, False)\n"
                "return self.o(torch.relu(y))",
                {}),
        after_a("prelu_channel", {prelu("n", 16), kLast}, "return self.o(self.n(self.a(x)))",
                {{"n.weight", {8}}}),
        after_a("prelu_single", {prelu("n", 1), kLast}, "return self.o(self.n(self.a(x)))",
                {{"n.weight", {1}}}),
        {"scale_param_1d",
         {{{2, 12}}},
         {linear("a", 12, 16), parameter("s", {16}), linear("o", 16, 4)},
         "return self.o(self.a(x) * self.s)",
         {{"s", {8}}, {"a.weight", {8, 12}}, {"o.weight", {4, 8}}}},
        after_a("scale_param_chw", {parameter("s", {16, 1, 1}), kLast}, "return self.o(self.a(x) * self.s)",
                {{"s", {8, 1, 1}}}),
        after_a("scale_param_full_map", {parameter("s", {1, 16, 8, 8}), kLast},
                "return self.o(self.a(x) * self.s)", {{"s", {1, 8, 8, 8}}}),
        after_a("layer_scale", {parameter("s", {16, 1, 1}), conv("b", 16, 16, 3, 16), kLast},
                "y = self.a(x)\nreturn self.o(y + self.s * torch.gelu(self.b(y)))",
                {{"s", {8, 1, 1}}, {"b.weight", {8, 1, 3, 3}}}),
        after_a("buffer_multiplied", {buffer("m", {1, 16, 1, 1}), kLast}, "return self.o(self.a(x) * self.m)",
                {{"m", {1, 8, 1, 1}}}),
        after_a("buffer_added_to_a_product", {buffer("m", {16, 1, 1}), parameter("s", {16, 1, 1}), kLast},
                "y = self.a(x)\nreturn self.o((y + self.m) * self.s)", {{"m", {8, 1, 1}}, {"s", {8, 1, 1}}}),
        after_a("two_scales_and_a_shift", {parameter("s", {16}), parameter("t", {16, 1}), kLast},
                "y = self.a(x)\n"
                "return self.o(torch.addcmul(self.t.unsqueeze(-1), y, self.s.view([1, -1, 1, 1])))",
                {{"s", {8}}, {"t", {8, 1}}}),
        after_a("folded_batch_norm", {buffer("s", {16}), parameter("b", {16}), kLast},
                "y = self.a(x) * self.s.reshape([1, -1, 1, 1]) + self.b.reshape([1, -1, 1, 1])\n"
                "return self.o(torch.relu(y))",
                {{"s", {8}}, {"b", {8}}}),
        after_a("channel_gate_from_input", {linear("g", 3, 16), kLast},
                "gate = torch.sigmoid(self.g(x.mean([2, 3])))\n"
                "return self.o(self.a(x) * gate[:, :, None, None])",
                {{"g.weight", {8, 3}}}),
    };
}

}  // namespace

std::vector<SourceNetwork> gauntlet_convolutions() {
    auto all = kinds();
    for (const auto& family : {normalised_weights(), scales()})
        all.insert(all.end(), family.begin(), family.end());
    return all;
}

}  // namespace mtlprune::toy
