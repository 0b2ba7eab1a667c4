// Recurrent layers, tokens, normalisation across channels.
#include "tests/pruning/gauntlet_networks.h"

namespace mtlprune::toy {
namespace {

std::vector<SourceNetwork> sequences() {
    return {
        {"lstm",
         kTokens,
         {linear("e", 12, 16), lstm("r", 16, 16), linear("o", 16, 4)},
         "return self.o(self.r(self.e(x)))",
         {{"e.weight", {8, 12}},
          {"r.weight_ih_l0", {32, 8}},
          {"r.weight_hh_l0", {32, 8}},
          {"o.weight", {4, 8}}}},
        {"lstm_last_step",
         kTokens,
         {lstm("r", 12, 8), linear("o", 8, 4)},
         "return self.o(self.r(x)[:, -1])",
         {{"r.weight_ih_l0", {16, 12}}, {"r.bias_hh_l0", {16}}, {"o.weight", {4, 4}}}},
        {"lstm_stacked", kTokens, {lstm("r", 12, 8, 2), linear("o", 8, 4)}, "return self.o(self.r(x))", {}},
        {"lstm_bidirectional",
         kTokens,
         {linear("e", 12, 8), lstm("r", 8, 8, 1, true), linear("o", 16, 4)},
         "return self.o(self.r(self.e(x)))",
         {{"e.weight", {4, 12}}, {"o.weight", {4, 8}}}},
        {"gru",
         kTokens,
         {linear("e", 12, 8), gru("r", 8, 8), linear("o", 8, 4)},
         "return self.o(self.r(self.e(x)))",
         {{"e.weight", {4, 12}},
          {"r.weight_ih_l0", {12, 4}},
          {"r.weight_hh_l0", {12, 4}},
          {"o.weight", {4, 4}}}},
        {"gru_stacked_bidirectional",
         kTokens,
         {gru("r", 12, 6, 2, true), linear("o", 12, 4)},
         "return self.o(self.r(x))",
         {}},
        {"embedding_and_positions",
         {{{2, 6}, 20}},
         {embedding("e", 20, 8), parameter("p", {6, 8}), linear("b", 8, 8), linear("o", 8, 4)},
         "y = self.e(x) + self.p\nreturn self.o(y + torch.relu(self.b(y)))",
         {{"e.weight", {20, 4}}, {"p", {6, 4}}, {"b.weight", {4, 4}}, {"o.weight", {4, 4}}}},
        {"tied_embedding_decoder",
         {{{2, 6}, 20}},
         {embedding("e", 20, 8), linear("b", 8, 8)},
         "y = self.e(x)\ny = y + torch.relu(self.b(y))\nreturn torch.matmul(y, self.e.weight.t())",
         {{"e.weight", {20, 4}}, {"b.weight", {4, 4}}}},
        {"token_mixer",
         kTokens,
         {linear("e", 12, 16), linear("m", 6, 10), linear("n", 10, 6), linear("o", 16, 4)},
         "y = self.e(x)\nz = self.n(torch.gelu(self.m(y.transpose(1, 2)))).transpose(1, 2)\nreturn self.o(y "
         "+ z)",
         {{"e.weight", {8, 12}}, {"m.weight", {5, 6}}, {"n.weight", {6, 5}}, {"o.weight", {4, 8}}}},
        {"temporal_conv",
         kTokens,
         {linear("e", 12, 16), conv1d("c", 16, 8, 3), linear("o", 8, 4)},
         "y = torch.relu(self.c(self.e(x).transpose(1, 2)))\nreturn self.o(y.transpose(1, 2))",
         {{"e.weight", {8, 12}}, {"c.weight", {4, 8, 3}}, {"o.weight", {4, 4}}}},
        {"sequence_pooling",
         kTokens,
         {linear("e", 12, 16), linear("g", 16, 1), linear("o", 16, 4)},
         "y = self.e(x)\ns = torch.softmax(self.g(y), 1)\n"
         "return self.o(torch.matmul(s.transpose(1, 2), y).squeeze(1))",
         {{"e.weight", {8, 12}}, {"g.weight", {1, 8}}, {"o.weight", {4, 8}}}},
    };
}

std::vector<SourceNetwork> normalisations() {
    return {
        {"groupnorm",
         kImage,
         {conv("a", 3, 16), group_norm("n", 16, 4), conv("o", 16, 4)},
         "return self.o(self.n(self.a(x)))",
         {{"a.weight", {8, 3, 1, 1}}, {"n.weight", {8}}, {"o.weight", {4, 8, 1, 1}}}},
        {"groupnorm_single_group",
         kImage,
         {conv("a", 3, 16), group_norm("n", 16, 1), conv("o", 16, 4)},
         "return self.o(self.n(self.a(x)))",
         {{"a.weight", {8, 3, 1, 1}}, {"n.weight", {8}}, {"o.weight", {4, 8, 1, 1}}}},
        {"groupnorm_per_channel",
         kImage,
         {conv("a", 3, 16), group_norm("n", 16, 16), conv("o", 16, 4)},
         "return self.o(self.n(self.a(x)))",
         {}},
        {"groupnorm_after_residual",
         kImage,
         {conv("a", 3, 8), conv("b", 8, 8), group_norm("n", 8, 2), conv("o", 8, 4)},
         "y = self.a(x)\nreturn self.o(torch.relu(self.n(y + self.b(y))))",
         {{"a.weight", {4, 3, 1, 1}}, {"b.weight", {4, 4, 1, 1}}, {"n.weight", {4}}}},
        {"layernorm",
         kTokens,
         {linear("e", 12, 16), layer_norm("n", {16}), linear("o", 16, 4)},
         "return self.o(self.n(self.e(x)))",
         {{"e.weight", {8, 12}}, {"n.weight", {8}}, {"o.weight", {4, 8}}}},
        {"layernorm_chw",
         {{{2, 3, 4, 4}}},
         {conv("a", 3, 8), layer_norm("n", {8, 4, 4}), conv("o", 8, 4)},
         "return self.o(self.n(self.a(x)))",
         {{"a.weight", {4, 3, 1, 1}}, {"n.weight", {4, 4, 4}}, {"o.weight", {4, 4, 1, 1}}}},
        {"transformer_block",
         kTokens,
         {linear("e", 12, 16), layer_norm("n", {16}), linear("q", 16, 48), linear("p", 16, 16),
          layer_norm("m", {16}), linear("f", 16, 24), linear("g", 24, 16), linear("o", 16, 4)},
         "y = self.e(x)\nb, n, c = y.shape\n"
         "q, k, v = self.q(self.n(y)).reshape([b, n, 3, 2, -1]).permute([2, 0, 3, 1, 4]).unbind(0)\n"
         "s = torch.softmax(torch.matmul(q, k.transpose(-2, -1)) * 0.4, -1)\n"
         "y = y + self.p(torch.matmul(s, v).transpose(1, 2).reshape([b, n, -1]))\n"
         "y = y + self.g(torch.gelu(self.f(self.m(y))))\n"
         "return self.o(y)",
         {{"e.weight", {8, 12}},
          {"q.weight", {24, 8}},
          {"f.weight", {12, 8}},
          {"g.weight", {8, 12}},
          {"m.weight", {8}}}},
        {"convnext_block",
         kImage,
         {conv("a", 3, 8), conv("d", 8, 8, 3, 8), layer_norm("n", {8}), linear("f", 8, 16),
          linear("g", 16, 8), parameter("s", {8, 1, 1}), conv("o", 8, 4)},
         "y = self.a(x)\nz = self.n(self.d(y).permute([0, 2, 3, 1]))\n"
         "z = self.g(torch.gelu(self.f(z))).permute([0, 3, 1, 2])\n"
         "return self.o(y + self.s * z)",
         {{"a.weight", {4, 3, 1, 1}},
          {"d.weight", {4, 1, 3, 3}},
          {"n.weight", {4}},
          {"f.weight", {8, 4}},
          {"s", {4, 1, 1}}}},
        {"rms_norm",
         kTokens,
         {linear("e", 12, 16), rms_norm("n", 16), linear("o", 16, 4)},
         "return self.o(self.n(self.e(x)))",
         {{"e.weight", {8, 12}}, {"n.weight", {8}}, {"o.weight", {4, 8}}}},
        {"rms_norm_of_powers",
         kTokens,
         {linear("e", 12, 16), linear("f", 16, 16), rms_norm("n", 16, "x.pow(2.0)"), linear("o", 16, 4)},
         "y = self.e(x)\nreturn self.o(y + torch.relu(self.f(self.n(y))))",
         {{"e.weight", {8, 12}}, {"n.weight", {8}}, {"f.weight", {8, 8}}, {"o.weight", {4, 8}}}},
        {"layernorm_written_out",
         kImage,
         {conv("a", 3, 8), written_layer_norm("n", 8), conv("b", 8, 6), conv("o", 6, 4)},
         "return self.o(torch.relu(self.b(self.n(self.a(x)))))",
         {{"a.weight", {4, 3, 1, 1}}, {"n.weight", {4}}, {"b.weight", {3, 4, 1, 1}}}},
        {"response_norm",
         kImage,
         {conv("a", 3, 8), response_norm("n", 8), conv("o", 8, 4)},
         "return self.o(self.n(torch.relu(self.a(x))))",
         {{"a.weight", {4, 3, 1, 1}}, {"n.weight", {4}}}},
        {"batch_norm_of_tokens",
         kTokens,
         {linear("e", 12, 16), batch_norm("n", 6), linear("o", 16, 4)},
         "return self.o(torch.relu(self.n(self.e(x))))",
         {{"e.weight", {8, 12}}, {"n.weight", {6}}, {"o.weight", {4, 8}}}},
        {"standardised_conv",
         kImage,
         {conv("a", 3, 8), standardised_conv("s", 8, 16, 3),
          standardised_conv("t", 16, 8, 1, /*by_batch_norm=*/false), conv("o", 8, 4)},
         "y = self.a(x)\nreturn self.o(y + self.t(torch.relu(self.s(y))))",
         {{"a.weight", {4, 3, 1, 1}},
          {"s.weight", {8, 4, 3, 3}},
          {"s.gain", {8, 1, 1, 1}},
          {"t.weight", {4, 8, 1, 1}}}},
    };
}

}  // namespace

std::vector<SourceNetwork> gauntlet_mixers() {
    auto all = sequences();
    const auto more = normalisations();
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

}  // namespace mtlprune::toy
