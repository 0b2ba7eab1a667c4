// What published networks do that the other families do not: each pattern is the heart of one of them.
#include "tests/pruning/gauntlet_networks.h"

namespace mtlprune::toy {
namespace {

const char* kAttend =
    "q, k, v = z.reshape([b, n, 3, 2, -1]).permute([2, 0, 3, 1, 4]).unbind(0)\n"
    "s = torch.softmax(torch.matmul(q, k.transpose(-2, -1)), -1)\n"
    "return self.o(y + self.p(torch.matmul(s, v).transpose(1, 2).reshape([b, n, -1])))";

std::vector<SourceNetwork> transformers() {
    const std::map<std::string, Shape> halved = {
        {"e.weight", {8, 12}}, {"w", {24, 8}}, {"p.weight", {8, 8}}, {"o.weight", {4, 8}}};
    return {
        // BEiT
        {"keys_with_a_bias_of_zeros",
         kTokens,
         {linear("e", 12, 16), parameter("w", {48, 16}), parameter("qb", {16}), zeros("kb", {16}),
          parameter("vb", {16}), linear("p", 16, 16), linear("o", 16, 4)},
         std::string("y = self.e(x)\nb, n, c = y.shape\n"
                     "z = torch.linear(y, self.w, torch.cat([self.qb, self.kb, self.vb]))\n") +
             kAttend,
         halved},
        // Swin V2
        {"bias_zeroed_in_place",
         kTokens,
         {linear("e", 12, 16), parameter("w", {48, 16}), parameter("qkvb", {48}), linear("p", 16, 16),
          linear("o", 16, 4)},
         std::string("y = self.e(x)\nb, n, c = y.shape\n"
                     "bias = self.qkvb.clone()\nlength = bias.size(0) // 3\n"
                     "bias[length:2 * length].zero_()\n"
                     "z = torch.linear(y, self.w, bias)\n") +
             kAttend,
         halved,
         /*has_literals=*/true},  // bounds that C++ code computes are numbers in its trace
        {"attention_of_normalised_keys",
         kTokens,
         {linear("e", 12, 16), parameter("w", {48, 16}), linear("p", 16, 16), linear("o", 16, 4)},
         "y = self.e(x)\nb, n, c = y.shape\n"
         "q, k, v = torch.linear(y, self.w).reshape([b, n, 3, 2, -1]).permute([2, 0, 3, 1, 4]).unbind(0)\n"
         "q = q / torch.norm(q, 2.0, [-1], True).clamp_min(1e-12).expand_as(q)\n"
         "k = k / torch.norm(k, 2.0, [-1], True).clamp_min(1e-12).expand_as(k)\n"
         "z = torch.matmul(torch.softmax(torch.matmul(q, k.transpose(-2, -1)), -1), v)\n"
         "return self.o(y + self.p(z.transpose(1, 2).reshape([b, n, -1])))",
         halved},
        // CoaT
        {"factorised_attention",
         kTokens,
         {linear("e", 12, 16), parameter("w", {48, 16}), linear("p", 16, 16), linear("o", 16, 4)},
         "y = self.e(x)\nb, n, c = y.shape\n"
         "q, k, v = torch.linear(y, self.w).reshape([b, n, 3, 2, -1]).permute([2, 0, 3, 1, "
         "4]).unbind(0)\n"
         "z = torch.matmul(q, torch.matmul(torch.softmax(k, 2).transpose(-2, -1), v))\n"
         "return self.o(y + self.p(z.transpose(1, 2).reshape([b, n, -1])))",
         halved},
        // XCiT: every channel of a key decides the weights of all.
        {"attention_over_channels",
         kTokens,
         {linear("e", 12, 16), parameter("w", {48, 16}), linear("p", 16, 16), linear("o", 16, 4)},
         "y = self.e(x)\nb, n, c = y.shape\n"
         "q, k, v = torch.linear(y, self.w).reshape([b, n, 3, 2, -1]).permute([2, 0, 3, 4, "
         "1]).unbind(0)\n"
         "s = torch.softmax(torch.matmul(q, k.transpose(-2, -1)), -1)\n"
         "return self.o(y + self.p(torch.matmul(s, v).permute([0, 3, 1, 2]).reshape([b, n, -1])))",
         {{"e.weight", {8, 12}}, {"w", {48, 8}}, {"p.weight", {8, 16}}}},
        // MViT
        {"looked_up_relative_positions",
         kTokens,
         {linear("e", 12, 16), linear("q", 16, 16), linear("k", 16, 16), parameter("table", {11, 8}),
          linear("o", 16, 4)},
         "y = self.e(x)\nb, n, c = y.shape\n"
         "q = self.q(y).view([b, n, 2, -1]).transpose(1, 2)\n"
         "k = self.k(y).view([b, n, 2, -1]).transpose(1, 2)\n"
         "i = torch.arange(6)\nr = self.table[i.unsqueeze(1) - i.unsqueeze(0) + 5]\n"
         "s = torch.matmul(q, k.transpose(-2, -1)) + torch.einsum('bhnd,nmd->bhnm', [q, r])\n"
         "return self.o(torch.matmul(torch.softmax(s, -1).mean([1]), y))",
         {{"e.weight", {8, 12}}, {"q.weight", {8, 8}}, {"k.weight", {8, 8}}, {"table", {11, 4}}}},
        // LLaMA
        {"rotary_positions",
         kTokens,
         {linear("q", 12, 16), linear("k", 12, 16), buffer("c", {6, 8}), buffer("s", {6, 8}),
          linear("v", 12, 8), linear("o", 8, 4)},
         "b, n, c = x.shape\n"
         "q = self.q(x).view([b, n, 2, -1]).transpose(1, 2)\nk = self.k(x).view([b, n, 2, "
         "-1]).transpose(1, "
         "2)\n"
         "h = q.size(3) // 2\n"
         "q = q * self.c + torch.cat([-q[:, :, :, h:], q[:, :, :, :h]], -1) * self.s\n"
         "k = k * self.c + torch.cat([-k[:, :, :, h:], k[:, :, :, :h]], -1) * self.s\n"
         "a = torch.softmax(torch.matmul(q, k.transpose(-2, -1)), -1).mean([1])\n"
         "return self.o(torch.matmul(a, self.v(x)))",
         {{"q.weight", {8, 12}}, {"k.weight", {8, 12}}, {"c", {6, 4}}, {"s", {6, 4}}, {"v.weight", {4, 12}}},
         /*has_literals=*/true},
    };
}

std::vector<SourceNetwork> convolutional() {
    return {
        // CoaT: the axis that a kernel of one slides over keeps its channels.
        {"conv1d_over_stacked_features",
         kImage,
         {conv("a", 3, 8), conv("c", 3, 8), conv1d("g", 2, 1), linear("o", 8, 4)},
         "y = torch.stack([self.a(x).mean([2, 3]), self.c(x).mean([2, 3])], 1)\n"
         "return self.o(self.g(y).squeeze(1))",
         {{"a.weight", {4, 3, 1, 1}},
          {"c.weight", {4, 3, 1, 1}},
          {"g.weight", {1, 2, 1}},
          {"o.weight", {4, 4}}}},
        {"conv1d_with_padding_over_features",
         kImage,
         {conv("a", 3, 8), parameter("w", {1, 1, 1}), linear("o", 5, 4)},
         "y = self.a(x).mean([2, 3]).unsqueeze(1)\n"
         "return self.o(torch.conv1d(y, self.w, None, [2], [1]).squeeze(1))",
         {{"a.weight", {8, 3, 1, 1}}}},
        // LambdaNetworks
        {"conv3d_beside_channels",
         kImage,
         {conv("a", 3, 8), conv("q", 3, 6), parameter("w", {6, 1, 3, 3, 1}), conv("o", 8, 4)},
         "v = self.a(x).permute([0, 2, 3, 1]).unsqueeze(1)\n"
         "z = torch.conv3d(v, self.w, None, [1, 1, 1], [1, 1, 0]) * self.q(x).unsqueeze(-1)\n"
         "return self.o(z.sum([1]).permute([0, 3, 1, 2]))",
         {{"a.weight", {4, 3, 1, 1}}, {"q.weight", {3, 3, 1, 1}}, {"w", {3, 1, 3, 3, 1}}}},
        // ConvMixer
        {"padding_by_name",
         kImage,
         {conv("a", 3, 8), parameter("w", {8, 1, 3, 3}), conv("o", 8, 4)},
         "y = self.a(x)\n"
         "return self.o(y + torch.conv2d(y, self.w, None, [1, 1], 'same', [1, 1], self.w.size(0)))",
         {{"a.weight", {4, 3, 1, 1}}, {"w", {4, 1, 3, 3}}}},
        {"no_padding_by_name",
         kImage,
         {conv("a", 3, 8), parameter("w", {6, 8, 3, 3}), linear("o", 54, 4)},
         "y = torch.conv2d(self.a(x), self.w, None, [2, 2], 'valid')\nreturn self.o(y.flatten(1))",
         {{"a.weight", {4, 3, 1, 1}}, {"w", {3, 4, 3, 3}}, {"o.weight", {4, 27}}}},
        // HaloNet
        {"windows",
         kImage,
         {conv("a", 3, 8), conv("o", 8, 4)},
         "y = self.a(x).unfold(2, 4, 2).unfold(3, 4, 2)\nreturn self.o(y.flatten(4).mean([4]))",
         {{"a.weight", {4, 3, 1, 1}}}},
        {"table_by_two_indices",
         kTokens,
         {linear("e", 12, 8), parameter("t", {5, 7, 8}), parameter("u", {5, 8, 7}), linear("o", 8, 4)},
         "i = torch.arange(6)\nj, k = i.remainder(5), i.remainder(4)\n"
         "return self.o(self.e(x) + self.t[j, k] + self.u[j, :, k])",
         {{"e.weight", {4, 12}}, {"t", {5, 7, 4}}, {"u", {5, 4, 7}}}},
        {"rows_of_unknown_number",
         {{{2, 12}}, {{2}, 5}},
         {linear("e", 12, 8), parameter("t", {5, 8}), linear("o", 8, 4)},
         "return self.o(self.e(x) + torch.index_select(self.t, 0, y))",
         {{"e.weight", {4, 12}}, {"t", {5, 4}}}},
    };
}

}  // namespace

std::vector<SourceNetwork> gauntlet_published() {
    auto all = transformers();
    const auto more = convolutional();
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

}  // namespace mtlprune::toy
