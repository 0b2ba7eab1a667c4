// Attention, and products of activations or weights.
#include "tests/pruning/gauntlet_networks.h"

namespace mtlprune::toy {
namespace {

std::vector<SourceNetwork> attention() {
    const char* kHeads =
        "e = self.e(x)\nb, n, c = e.shape\n"
        "q, k, v = self.q(e), self.k(e), self.v(e)\n"
        "q = q.view([b, n, 2, -1]).transpose(1, 2)\n"
        "k = k.view([b, n, 2, -1]).transpose(1, 2)\n"
        "v = v.view([b, n, 2, -1]).transpose(1, 2)\n";
    const std::vector<Layer> separate = {linear("e", 12, 16), linear("q", 16, 16), linear("k", 16, 16),
                                         linear("v", 16, 16), linear("p", 16, 16), linear("o", 16, 4)};
    const std::map<std::string, Shape> halved = {{"e.weight", {8, 12}},
                                                 {"q.weight", {8, 8}},
                                                 {"v.weight", {8, 8}},
                                                 {"p.weight", {8, 8}},
                                                 {"o.weight", {4, 8}}};
    return {
        {"attention_qkv",
         kTokens,
         {linear("e", 12, 16), linear("qkv", 16, 48), linear("p", 16, 16), linear("o", 16, 4)},
         "y = self.e(x)\nb, n, c = y.shape\n"
         "q, k, v = self.qkv(y).reshape([b, n, 3, 2, -1]).permute([2, 0, 3, 1, 4]).unbind(0)\n"
         "s = torch.softmax(torch.matmul(q, k.transpose(-2, -1)), -1)\n"
         "z = torch.matmul(s, v).transpose(1, 2).reshape([b, n, -1])\n"
         "return self.o(y + self.p(z))",
         {{"e.weight", {8, 12}}, {"qkv.weight", {24, 8}}, {"p.weight", {8, 8}}, {"o.weight", {4, 8}}}},
        {"attention_separate_projections", kTokens, separate,
         std::string(kHeads) + "s = torch.softmax(torch.matmul(q, k.transpose(-2, -1)) * 0.3, -1)\n"
                               "z = torch.matmul(s, v).transpose(1, 2).reshape([b, n, -1])\n"
                               "return self.o(e + self.p(z))",
         halved},
        {"attention_by_baddbmm", kTokens, separate,
         std::string(kHeads) +
             "q = q.reshape([b * 2, n, -1])\nk = k.reshape([b * 2, n, -1])\nv = v.reshape([b * 2, n, -1])\n"
             "s = torch.baddbmm(torch.zeros([1], dtype=q.dtype), q, k.transpose(1, 2), beta=1, alpha=0.3)\n"
             "z = torch.bmm(torch.softmax(s, -1), v).view([b, 2, n, -1]).transpose(1, 2).reshape([b, n, "
             "-1])\n"
             "return self.o(e + self.p(z))",
         halved},
        {"attention_by_einsum", kTokens, separate,
         std::string(kHeads) + "s = torch.softmax(torch.einsum('bhnd,bhmd->bhnm', [q, k]), -1)\n"
                               "z = torch.einsum('bhnm,bhmd->bnhd', [s, v]).reshape([b, n, -1])\n"
                               "return self.o(e + self.p(z))",
         halved},
        {"attention_masked", kTokens, separate,
         std::string(kHeads) + "s = torch.matmul(q, k.transpose(-2, -1))\n"
                               "causal = torch.tril(torch.ones([n, n], dtype=x.dtype)) == 0\n"
                               "s = torch.softmax(s.masked_fill(causal, -1e9), -1)\n"
                               "z = torch.matmul(s, v).transpose(1, 2).reshape([b, n, -1])\n"
                               "return self.o(e + self.p(z))",
         halved},
        {"attention_relative_bias", kTokens,
         [&] {
             auto layers = separate;
             layers.push_back(parameter("bias", {1, 2, 6, 6}));
             return layers;
         }(),
         std::string(kHeads) + "s = torch.softmax(torch.matmul(q, k.transpose(-2, -1)) + self.bias, -1)\n"
                               "z = torch.matmul(s, v).transpose(1, 2).reshape([b, n, -1])\n"
                               "return self.o(e + self.p(z))",
         halved},
        {"attention_rotary_halves",
         kTokens,
         [&] {
             auto layers = separate;
             layers.push_back(buffer("cos", {6, 8}));
             layers.push_back(buffer("sin", {6, 8}));
             return layers;
         }(),
         std::string(kHeads) + "q1, q2 = q.chunk(2, -1)\nk1, k2 = k.chunk(2, -1)\n"
                               "q = q * self.cos + torch.cat([torch.neg(q2), q1], -1) * self.sin\n"
                               "k = k * self.cos + torch.cat([torch.neg(k2), k1], -1) * self.sin\n"
                               "s = torch.softmax(torch.matmul(q, k.transpose(-2, -1)), -1)\n"
                               "z = torch.matmul(s, v).transpose(1, 2).reshape([b, n, -1])\n"
                               "return self.o(e + self.p(z))",
         {{"q.weight", {8, 8}}, {"k.weight", {8, 8}}, {"cos", {6, 4}}, {"v.weight", {8, 8}}}},
        {"attention_grouped_query",
         kTokens,
         {linear("e", 12, 16), linear("q", 16, 16), linear("k", 16, 8), linear("v", 16, 8),
          linear("p", 16, 16), linear("o", 16, 4)},
         "e = self.e(x)\nb, n, c = e.shape\n"
         "q = self.q(e).view([b, n, 4, -1]).transpose(1, 2)\n"
         "k = self.k(e).view([b, n, 2, -1]).transpose(1, 2)\n"
         "v = self.v(e).view([b, n, 2, -1]).transpose(1, 2)\n"
         "k = k.unsqueeze(2).expand([b, 2, 2, n, k.size(3)]).reshape([b, 4, n, -1])\n"
         "v = v.unsqueeze(2).expand([b, 2, 2, n, v.size(3)]).reshape([b, 4, n, -1])\n"
         "s = torch.softmax(torch.matmul(q, k.transpose(-2, -1)), -1)\n"
         "return self.o(e + self.p(torch.matmul(s, v).transpose(1, 2).reshape([b, n, -1])))",
         {{"e.weight", {8, 12}},
          {"q.weight", {8, 8}},
          {"k.weight", {4, 8}},
          {"v.weight", {4, 8}},
          {"p.weight", {8, 8}}}},
        {"cross_attention",
         {{{2, 6, 12}}, {{2, 5, 10}}},
         {linear("q", 12, 8), linear("k", 10, 8), linear("v", 10, 6), linear("o", 6, 4)},
         "s = torch.softmax(torch.matmul(self.q(x), self.k(y).transpose(1, 2)), -1)\n"
         "return self.o(torch.matmul(s, self.v(y)))",
         {{"q.weight", {4, 12}}, {"k.weight", {4, 10}}, {"v.weight", {3, 10}}, {"o.weight", {4, 3}}}},
        {"non_local_block",
         kImage,
         {conv("a", 3, 16), conv("q", 16, 8), conv("k", 16, 8), conv("v", 16, 8), conv("p", 8, 16),
          conv("o", 16, 4)},
         "y = self.a(x)\nb, c, h, w = y.shape\n"
         "q, k, v = self.q(y).flatten(2), self.k(y).flatten(2), self.v(y).flatten(2)\n"
         "s = torch.softmax(torch.bmm(q.transpose(1, 2), k), -1)\n"
         "z = torch.bmm(v, s.transpose(1, 2)).view([b, -1, h, w])\n"
         "return self.o(y + self.p(z))",
         {{"a.weight", {8, 3, 1, 1}},
          {"q.weight", {4, 8, 1, 1}},
          {"v.weight", {4, 8, 1, 1}},
          {"p.weight", {8, 4, 1, 1}}}},
        {"class_token_and_positions",
         kImage,
         {strided_conv("a", 3, 16, 4), parameter("token", {1, 1, 16}), parameter("positions", {1, 5, 16}),
          linear("b", 16, 16), linear("o", 16, 4)},
         "y = self.a(x).flatten(2).transpose(1, 2)\n"
         "y = torch.cat([self.token.expand([y.size(0), -1, -1]), y], 1) + self.positions\n"
         "y = y + torch.gelu(self.b(y))\n"
         "return self.o(y[:, 0])",
         {{"a.weight", {8, 3, 4, 4}}, {"token", {1, 1, 8}}, {"positions", {1, 5, 8}}, {"b.weight", {8, 8}}}},
    };
}

std::vector<SourceNetwork> products() {
    return {
        {"einsum_mix",
         {{{2, 12, 3}}},
         {linear("e", 3, 16), linear("g", 3, 16), linear("o", 16, 4)},
         "return self.o(torch.einsum('bnc,bnc->bc', [self.e(x), self.g(x)]))",
         {{"e.weight", {8, 3}}, {"g.weight", {8, 3}}, {"o.weight", {4, 8}}}},
        {"einsum_contracts_channels",
         kTokens,
         {linear("e", 12, 16), linear("g", 12, 16), linear("o", 6, 4)},
         "return self.o(torch.einsum('bnc,bmc->bnm', [self.e(x), self.g(x)]))",
         {{"e.weight", {8, 12}}, {"g.weight", {8, 12}}}},
        {"einsum_as_conv",
         kImage,
         {conv("a", 3, 16), parameter("w", {8, 16}), conv("o", 8, 4)},
         "return self.o(torch.einsum('bchw,dc->bdhw', [self.a(x), self.w]))",
         {{"a.weight", {8, 3, 1, 1}}, {"w", {4, 8}}, {"o.weight", {4, 4, 1, 1}}}},
        {"einsum_ellipsis",
         kTokens,
         {linear("e", 12, 16), parameter("w", {16, 8}), linear("o", 8, 4)},
         "return self.o(torch.einsum('...c,cd->...d', [self.e(x), self.w]))",
         {{"e.weight", {8, 12}}, {"w", {8, 4}}, {"o.weight", {4, 4}}}},
        {"outer_product_flattened",
         {{{2, 12}}},
         {linear("e", 12, 6), linear("g", 12, 4), linear("o", 24, 4)},
         "y = torch.einsum('bc,bd->bcd', [self.e(x), self.g(x)])\nreturn self.o(y.flatten(1))",
         {}},
        {"bilinear",
         {{{2, 12}}},
         {linear("e", 12, 6), linear("g", 12, 4), parameter("w", {8, 6, 4}), linear("o", 8, 4)},
         "return self.o(torch.bilinear(self.e(x), self.g(x), self.w, None))",
         {}},
        {"matmul_with_vector",
         {{{2, 12}}},
         {linear("e", 12, 16), parameter("v", {16}), linear("o", 1, 4)},
         "return self.o(torch.matmul(self.e(x), self.v).unsqueeze(1))",
         {{"e.weight", {8, 12}}, {"v", {8}}}},
        {"addmm_layer",
         {{{2, 12}}},
         {parameter("w", {12, 16}), parameter("b", {16}), linear("o", 16, 4)},
         "return self.o(torch.relu(torch.addmm(self.b, x, self.w)))",
         {{"w", {12, 8}}, {"b", {8}}, {"o.weight", {4, 8}}}},
        {"batched_expert_weights",
         kTokens,
         {parameter("w", {2, 12, 8}), parameter("v", {2, 8, 10}), linear("o", 10, 4)},
         "return self.o(torch.bmm(torch.relu(torch.bmm(x, self.w)), self.v))",
         {{"w", {2, 12, 4}}, {"v", {2, 4, 5}}, {"o.weight", {4, 5}}}},
        {"mixture_of_experts",
         {{{2, 12}}},
         {linear("g", 12, 3), parameter("w", {3, 8, 12}), linear("o", 8, 4)},
         "gate = torch.softmax(self.g(x), -1)\n"
         "y = torch.einsum('ehi,bi->beh', [self.w, x])\n"
         "return self.o((torch.relu(y) * gate.unsqueeze(-1)).sum([1]))",
         {{"w", {3, 4, 12}}, {"g.weight", {3, 12}}, {"o.weight", {4, 4}}}},
        {"linear_attention",
         kTokens,
         {linear("q", 12, 8), linear("k", 12, 8), linear("v", 12, 6), linear("o", 6, 4)},
         "k = torch.softmax(self.k(x), 1)\n"
         "return self.o(torch.matmul(self.q(x), torch.matmul(k.transpose(1, 2), self.v(x))))",
         {{"v.weight", {3, 12}}, {"o.weight", {4, 3}}}},
    };
}

}  // namespace

std::vector<SourceNetwork> gauntlet_attention() {
    auto all = attention();
    const auto more = products();
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

}  // namespace mtlprune::toy
