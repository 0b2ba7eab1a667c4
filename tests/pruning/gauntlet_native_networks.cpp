// Patterns written against torch::nn, as users do.
#include "tests/pruning/gauntlet_networks.h"

#include <torch/nn.h>

namespace mtlprune::toy {
namespace {

using Tensors = std::vector<torch::Tensor>;

torch::nn::Conv2d convolution(Network& n, const std::string& name, int64_t in, int64_t out,
                              int64_t kernel = 1, int64_t groups = 1) {
    return n.convolution(name, in, out, kernel, groups);
}

template <typename Holder>
Holder layer(Network& n, const std::string& name, Holder holder) {
    n.module->register_module(name, holder);
    return holder;
}

torch::nn::Linear linear_layer(Network& n, const std::string& name, int64_t in, int64_t out) {
    return layer(n, name, torch::nn::Linear(in, out));
}

template <typename Forward>
Network with(Network network, Forward forward) {
    network.forward = [forward](const Tensors& in) mutable -> Tensors { return {forward(in)}; };
    network.module->to(torch::kFloat64);
    network.module->eval();
    return network;
}

Network plain() {
    Network n;
    auto a = convolution(n, "a", 3, 16, 3);
    auto norm = layer(n, "n", torch::nn::BatchNorm2d(16));
    auto o = convolution(n, "o", 16, 4);
    return with(n, [=](const Tensors& in) mutable { return o(torch::relu(norm(a(in[0])))); });
}

Network residual_blocks() {
    Network n;
    auto a = convolution(n, "a", 3, 16), b = convolution(n, "b", 16, 16, 3), o = convolution(n, "o", 16, 4);
    return with(n, [=](const Tensors& in) mutable {
        auto y = a(in[0]);
        return o(y + torch::relu(b(y)));
    });
}

Network grouped() {
    Network n;
    auto a = convolution(n, "a", 3, 16), g = convolution(n, "g", 16, 32, 3, 4),
         o = convolution(n, "o", 32, 4);
    return with(n, [=](const Tensors& in) mutable { return o(g(a(in[0]))); });
}

Network depthwise() {
    Network n;
    auto a = convolution(n, "a", 3, 16), d = convolution(n, "d", 16, 16, 3, 16),
         o = convolution(n, "o", 16, 4);
    return with(n, [=](const Tensors& in) mutable { return o(d(a(in[0]))); });
}

Network multiplier() {
    Network n;
    auto a = convolution(n, "a", 3, 16), d = convolution(n, "d", 16, 48, 3, 16),
         o = convolution(n, "o", 48, 4);
    return with(n, [=](const Tensors& in) mutable { return o(d(a(in[0]))); });
}

Network transposed() {
    Network n;
    auto a = convolution(n, "a", 3, 16);
    auto u = layer(
        n, "u", torch::nn::ConvTranspose2d(torch::nn::ConvTranspose2dOptions(16, 8, 2).stride(2).groups(4)));
    auto o = convolution(n, "o", 8, 4);
    return with(n, [=](const Tensors& in) mutable { return o(u(a(in[0]))); });
}

Network group_normalised() {
    Network n;
    auto a = convolution(n, "a", 3, 16);
    auto norm = layer(n, "n", torch::nn::GroupNorm(4, 16));
    auto o = convolution(n, "o", 16, 4);
    return with(n, [=](const Tensors& in) mutable { return o(norm(a(in[0]))); });
}

Network layer_normalised() {
    Network n;
    auto e = linear_layer(n, "e", 12, 16);
    auto norm = layer(n, "n", torch::nn::LayerNorm(torch::nn::LayerNormOptions({16})));
    auto o = linear_layer(n, "o", 16, 4);
    return with(n, [=](const Tensors& in) mutable { return o(norm(e(in[0]))); });
}

Network instance_normalised() {
    Network n;
    auto a = convolution(n, "a", 3, 16);
    auto norm = layer(n, "n", torch::nn::InstanceNorm2d(torch::nn::InstanceNorm2dOptions(16).affine(true)));
    auto o = convolution(n, "o", 16, 4);
    return with(n, [=](const Tensors& in) mutable { return o(norm(a(in[0]))); });
}

Network slopes() {
    Network n;
    auto a = convolution(n, "a", 3, 16);
    auto slope = layer(n, "n", torch::nn::PReLU(torch::nn::PReLUOptions().num_parameters(16)));
    auto o = convolution(n, "o", 16, 4);
    return with(n, [=](const Tensors& in) mutable { return o(slope(a(in[0]))); });
}

Network gated() {
    Network n;
    auto a = convolution(n, "a", 3, 16), o = convolution(n, "o", 8, 4);
    return with(n, [=](const Tensors& in) mutable { return o(torch::glu(a(in[0]), 1)); });
}

Network split_swapped() {
    Network n;
    auto a = convolution(n, "a", 3, 16), o = convolution(n, "o", 16, 4);
    return with(n, [=](const Tensors& in) mutable {
        const auto halves = a(in[0]).chunk(2, 1);
        return o(torch::cat({halves[1], halves[0]}, 1));
    });
}

Network shuffled() {
    Network n;
    auto a = convolution(n, "a", 3, 16), o = convolution(n, "o", 16, 4);
    return with(n, [=](const Tensors& in) mutable {
        const auto y = a(in[0]);
        const auto b = y.size(0), c = y.size(1), h = y.size(2), w = y.size(3);
        return o(y.view({b, 2, c / 2, h, w}).transpose(1, 2).reshape({b, c, h, w}));
    });
}

Network squeezed() {
    Network n;
    auto a = convolution(n, "a", 3, 16);
    auto s = linear_layer(n, "s", 16, 4), t = linear_layer(n, "t", 4, 16);
    auto o = convolution(n, "o", 16, 4);
    return with(n, [=](const Tensors& in) mutable {
        const auto y = a(in[0]);
        const auto gate = torch::sigmoid(t(torch::relu(s(y.mean({2, 3})))));
        return o(y * gate.unsqueeze(-1).unsqueeze(-1));
    });
}

Network flattened() {
    Network n;
    auto a = convolution(n, "a", 3, 16, 3);
    auto f = linear_layer(n, "f", 256, 10), o = linear_layer(n, "o", 10, 4);
    return with(n, [=](const Tensors& in) mutable { return o(torch::relu(f(a(in[0]).flatten(1)))); });
}

Network joint_attention() {
    Network n;
    auto e = linear_layer(n, "e", 12, 16), qkv = linear_layer(n, "qkv", 16, 48),
         p = linear_layer(n, "p", 16, 16), o = linear_layer(n, "o", 16, 4);
    return with(n, [=](const Tensors& in) mutable {
        const auto y = e(in[0]);
        const auto b = y.size(0), t = y.size(1);
        const auto parts = qkv(y).reshape({b, t, 3, 2, -1}).permute({2, 0, 3, 1, 4}).unbind(0);
        const auto s = torch::softmax(torch::matmul(parts[0], parts[1].transpose(-2, -1)), -1);
        const auto z = torch::matmul(s, parts[2]).transpose(1, 2).reshape({b, t, -1});
        return o(y + p(z));
    });
}

/// Long short-term memory. The module's hidden size is an option, which has to follow.
Network recurrent_layer() {
    Network n;
    auto e = linear_layer(n, "e", 12, 16);
    auto r = layer(n, "r", torch::nn::LSTM(torch::nn::LSTMOptions(16, 16).batch_first(true)));
    auto o = linear_layer(n, "o", 16, 4);
    return with(n, [=](const Tensors& in) mutable { return o(std::get<0>(r(e(in[0])))); });
}

Network gated_recurrent_layer() {
    Network n;
    auto e = linear_layer(n, "e", 12, 8);
    auto r = layer(n, "r", torch::nn::GRU(torch::nn::GRUOptions(8, 8).batch_first(true)));
    auto o = linear_layer(n, "o", 8, 4);
    return with(n, [=](const Tensors& in) mutable { return o(std::get<0>(r(e(in[0])))); });
}

Network tokens_embedded() {
    Network n;
    auto e = layer(n, "e", torch::nn::Embedding(20, 8));
    auto p = n.module->register_parameter("p", torch::zeros({6, 8}));
    auto b = linear_layer(n, "b", 8, 8), o = linear_layer(n, "o", 8, 4);
    auto module = n.module;
    return with(n, [=](const Tensors& in) mutable {
        const auto y = e(in[0]) + module->named_parameters()["p"];
        return o(y + torch::relu(b(y)));
    });
}

}  // namespace

std::map<std::string, std::function<Network()>> gauntlet_modules() {
    return {{"plain", plain},
            {"residual", residual_blocks},
            {"grouped_conv", grouped},
            {"depthwise", depthwise},
            {"depthwise_multiplier", multiplier},
            {"grouped_transposed_conv", transposed},
            {"groupnorm", group_normalised},
            {"layernorm", layer_normalised},
            {"instancenorm_affine", instance_normalised},
            {"prelu_channel", slopes},
            {"glu", gated},
            {"split_swap", split_swapped},
            {"channel_shuffle", shuffled},
            {"squeeze_excite", squeezed},
            {"flatten_linear", flattened},
            {"attention_qkv", joint_attention},
            {"lstm", recurrent_layer},
            {"gru", gated_recurrent_layer},
            {"embedding_and_positions", tokens_embedded}};
}

}  // namespace mtlprune::toy
