// Channels that meet: residuals, concatenation, splits, shared layers.
#include "tests/pruning/gauntlet_networks.h"

namespace mtlprune::toy {
namespace {

std::vector<SourceNetwork> sums() {
    return {
        {"residual",
         kImage,
         {conv("a", 3, 16), conv("b", 16, 16, 3), conv("o", 16, 4)},
         "y = self.a(x)\nreturn self.o(y + torch.relu(self.b(y)))",
         {{"a.weight", {8, 3, 1, 1}}, {"b.weight", {8, 8, 3, 3}}, {"o.weight", {4, 8, 1, 1}}}},
        {"residual_in_place",
         kImage,
         {conv("a", 3, 16), conv("b", 16, 16, 3), conv("o", 16, 4)},
         "y = self.a(x)\nz = self.b(y)\nz.add_(y)\nz.relu_()\nreturn self.o(z)",
         {{"a.weight", {8, 3, 1, 1}}, {"b.weight", {8, 8, 3, 3}}, {"o.weight", {4, 8, 1, 1}}}},
        {"three_branches_summed",
         kImage,
         {conv("a", 3, 8), conv("b", 3, 8, 3), conv("c", 3, 8), conv("o", 8, 4)},
         "return self.o(torch.sub(self.a(x), self.b(x)) * self.c(x))",
         {{"a.weight", {4, 3, 1, 1}}, {"b.weight", {4, 3, 3, 3}}, {"c.weight", {4, 3, 1, 1}}}},
        {"sum_with_input",
         kImage,
         {conv("a", 3, 3), conv("b", 3, 8), conv("o", 8, 4)},
         "return self.o(self.b(x + self.a(x)))",
         {{"a.weight", {3, 3, 1, 1}}, {"b.weight", {4, 3, 1, 1}}}},
        {"shared_conv_twice",
         kImage,
         {conv("a", 3, 16), conv("c", 16, 16), conv("o", 16, 4)},
         "return self.o(self.c(torch.relu(self.c(self.a(x)))))",
         {{"a.weight", {8, 3, 1, 1}}, {"c.weight", {8, 8, 1, 1}}, {"o.weight", {4, 8, 1, 1}}}},
        {"shared_norm",
         kImage,
         {conv("a", 3, 8), conv("b", 8, 8), batch_norm("n", 8), conv("o", 8, 4)},
         "return self.o(self.n(self.b(torch.relu(self.n(self.a(x))))))",
         {{"a.weight", {4, 3, 1, 1}}, {"b.weight", {4, 4, 1, 1}}, {"n.running_mean", {4}}}},
        {"tied_transpose",
         {{{2, 12}}},
         {linear("a", 12, 16), parameter("b", {12}), linear("o", 12, 4)},
         "y = torch.relu(self.a(x))\nreturn self.o(torch.matmul(y, self.a.weight) + self.b)",
         {{"a.weight", {8, 12}}, {"a.bias", {8}}, {"o.weight", {4, 12}}}},
        {"stack_then_sum",
         kImage,
         {conv("a", 3, 8), conv("b", 3, 8, 3), conv("o", 8, 4)},
         "return self.o(torch.stack([self.a(x), self.b(x)], 1).sum([1]))",
         {{"a.weight", {4, 3, 1, 1}}, {"b.weight", {4, 3, 3, 3}}, {"o.weight", {4, 4, 1, 1}}}},
        {"stack_weighted",
         kImage,
         {conv("a", 3, 8), conv("b", 3, 8, 3), parameter("s", {2}), conv("o", 8, 4)},
         "s = torch.softmax(self.s, 0).view([1, 2, 1, 1, 1])\n"
         "return self.o((torch.stack([self.a(x), self.b(x)], 1) * s).sum([1]))",
         {{"s", {2}}, {"a.weight", {4, 3, 1, 1}}, {"o.weight", {4, 4, 1, 1}}}},
        {"stack_max",
         kImage,
         {conv("a", 3, 8), conv("b", 3, 8, 3), conv("o", 8, 4)},
         "return self.o(torch.amax(torch.stack([self.a(x), self.b(x)], 0), [0]))",
         {{"a.weight", {4, 3, 1, 1}}, {"o.weight", {4, 4, 1, 1}}}},
        {"selective_kernel",
         kImage,
         {conv("a", 3, 8), conv("b", 3, 8, 3), linear("s", 8, 4), linear("t", 4, 16), conv("o", 8, 4)},
         "y = torch.stack([self.a(x), self.b(x)], 1)\n"
         "s = self.t(torch.relu(self.s(y.sum([1]).mean([2, 3]))))\n"
         "s = torch.softmax(s.view([s.size(0), 2, -1, 1, 1]), 1)\n"
         "return self.o((y * s).sum([1]))",
         {{"a.weight", {4, 3, 1, 1}},
          {"b.weight", {4, 3, 3, 3}},
          {"s.weight", {2, 4}},
          {"t.weight", {8, 2}}}},
    };
}

std::vector<SourceNetwork> concatenations() {
    return {
        {"concat_unet",
         kImage,
         {conv("a", 3, 8, 3), strided_conv("b", 8, 16, 2), transposed_conv("u", 16, 8, 2), conv("c", 16, 8),
          conv("o", 8, 4)},
         "y = self.a(x)\nz = torch.relu(self.b(y))\nreturn self.o(self.c(torch.cat([self.u(z), y], 1)))",
         {{"a.weight", {4, 3, 3, 3}},
          {"b.weight", {8, 4, 2, 2}},
          {"u.weight", {8, 4, 2, 2}},
          {"c.weight", {4, 8, 1, 1}}}},
        {"concat_raw_input",
         kImage,
         {conv("a", 3, 8), conv("c", 11, 8), conv("o", 8, 4)},
         "return self.o(self.c(torch.cat([self.a(x), x], 1)))",
         {{"a.weight", {4, 3, 1, 1}}, {"c.weight", {4, 7, 1, 1}}}},
        {"concat_raw_input_first",
         kImage,
         {conv("a", 3, 8), conv("c", 11, 8), conv("o", 8, 4)},
         "return self.o(self.c(torch.cat([x, self.a(x)], 1)))",
         {{"a.weight", {4, 3, 1, 1}}, {"c.weight", {4, 7, 1, 1}}}},
        {"concat_pool_mean",
         kImage,
         {conv("a", 3, 8), conv("c", 8, 8), conv("o", 24, 4)},
         "y = self.a(x)\nz = self.c(y)\nreturn self.o(torch.cat([y, z, y * z], 1))",
         {{"a.weight", {4, 3, 1, 1}}, {"c.weight", {4, 4, 1, 1}}, {"o.weight", {4, 12, 1, 1}}}},
        {"concat_with_itself",
         kImage,
         {conv("a", 3, 8), conv("o", 16, 4)},
         "y = self.a(x)\nreturn self.o(torch.cat([y, torch.neg(y)], 1))",
         {{"a.weight", {4, 3, 1, 1}}, {"o.weight", {4, 8, 1, 1}}}},
        {"concat_along_width",
         kImage,
         {conv("a", 3, 8), conv("b", 3, 8), conv("o", 8, 4)},
         "return self.o(torch.cat([self.a(x), self.b(x)], 3))",
         {{"a.weight", {4, 3, 1, 1}}, {"b.weight", {4, 3, 1, 1}}, {"o.weight", {4, 4, 1, 1}}}},
        {"concat_norm_over_both",
         kImage,
         {conv("a", 3, 8), conv("b", 3, 4), batch_norm("n", 12), conv("o", 12, 4)},
         "return self.o(self.n(torch.cat([self.a(x), self.b(x)], 1)))",
         {{"a.weight", {4, 3, 1, 1}},
          {"b.weight", {2, 3, 1, 1}},
          {"n.weight", {6}},
          {"o.weight", {4, 6, 1, 1}}}},
        {"dense_block",
         kImage,
         {conv("a", 3, 8), conv("b", 8, 4, 3), conv("c", 12, 4, 3), conv("o", 16, 4)},
         "y = self.a(x)\n"
         "y = torch.cat([y, torch.relu(self.b(y))], 1)\n"
         "y = torch.cat([y, torch.relu(self.c(y))], 1)\n"
         "return self.o(y)",
         {{"a.weight", {4, 3, 1, 1}},
          {"b.weight", {2, 4, 3, 3}},
          {"c.weight", {2, 6, 3, 3}},
          {"o.weight", {4, 8, 1, 1}}}},
        {"grouped_after_concat",
         kImage,
         {conv("a", 3, 8), conv("b", 3, 8), conv("g", 16, 16, 3, 4), conv("o", 16, 4)},
         "return self.o(self.g(torch.cat([self.a(x), self.b(x)], 1)))",
         {{"a.weight", {4, 3, 1, 1}},
          {"b.weight", {4, 3, 1, 1}},
          {"g.weight", {8, 2, 3, 3}},
          {"o.weight", {4, 8, 1, 1}}}},
        {"concat_pyramid",
         kImage,
         {conv("a", 3, 8), conv("b", 8, 8), conv("o", 24, 4)},
         "y = self.a(x)\n"
         "p = torch.adaptive_avg_pool2d(y, [2, 2])\n"
         "q = torch.upsample_bilinear2d(self.b(p), [8, 8], False)\n"
         "r = torch.upsample_nearest2d(p, [8, 8])\n"
         "return self.o(torch.cat([y, q, r], 1))",
         {{"a.weight", {4, 3, 1, 1}}, {"b.weight", {4, 4, 1, 1}}, {"o.weight", {4, 12, 1, 1}}}},
    };
}

std::vector<SourceNetwork> splits() {
    return {
        {"split_swap",
         kImage,
         {conv("a", 3, 16), conv("o", 16, 4)},
         "p, q = torch.chunk(self.a(x), 2, 1)\nreturn self.o(torch.cat([q, p], 1))",
         {{"a.weight", {8, 3, 1, 1}}, {"o.weight", {4, 8, 1, 1}}}},
        {"split_one_unused",
         kImage,
         {conv("a", 3, 16), conv("o", 8, 4)},
         "p, q = torch.chunk(self.a(x), 2, 1)\nreturn self.o(p)",
         {{"o.weight", {4, 4, 1, 1}}}},
        {"c2f_yolov8",
         kImage,
         {conv("a", 3, 16), conv("m", 8, 8, 3), conv("o", 24, 4)},
         "p, q = torch.chunk(self.a(x), 2, 1)\nreturn self.o(torch.cat([p, q, self.m(q)], 1))",
         {{"a.weight", {8, 3, 1, 1}}, {"m.weight", {4, 4, 3, 3}}, {"o.weight", {4, 12, 1, 1}}}},
        {"c2f_with_shortcut",
         kImage,
         {conv("a", 3, 16), conv("m", 8, 8, 3), conv("o", 24, 4)},
         "p, q = torch.chunk(self.a(x), 2, 1)\nreturn self.o(torch.cat([p, q, q + self.m(q)], 1))",
         {{"a.weight", {8, 3, 1, 1}}, {"m.weight", {4, 4, 3, 3}}, {"o.weight", {4, 12, 1, 1}}}},
        {"glu",
         kImage,
         {conv("a", 3, 16), conv("o", 8, 4)},
         "return self.o(torch.glu(self.a(x), 1))",
         {{"a.weight", {8, 3, 1, 1}}, {"o.weight", {4, 4, 1, 1}}}},
        {"swiglu",
         {{{2, 12}}},
         {linear("a", 12, 16), linear("o", 8, 4)},
         "p, q = torch.chunk(self.a(x), 2, -1)\nreturn self.o(torch.silu(p) * q)",
         {{"a.weight", {8, 12}}, {"o.weight", {4, 4}}}},
        {"simple_gate",
         kImage,
         {conv("a", 3, 16), conv("d", 16, 16, 3, 16), conv("o", 8, 4)},
         "p, q = torch.chunk(self.d(self.a(x)), 2, 1)\nreturn self.o(p * q)",
         {{"a.weight", {8, 3, 1, 1}}, {"d.weight", {8, 1, 3, 3}}, {"o.weight", {4, 4, 1, 1}}}},
        {"three_way_chunk",
         {{{2, 12}}},
         {linear("a", 12, 12), linear("o", 4, 4)},
         "p, q, r = torch.chunk(self.a(x), 3, 1)\nreturn self.o(p * q + r)",
         {{"a.weight", {6, 12}}, {"o.weight", {4, 2}}}},
        {"unbind_after_view",
         {{{2, 12}}},
         {linear("a", 12, 12), linear("o", 6, 4)},
         "y = self.a(x)\np, q = torch.unbind(y.view([y.size(0), 2, -1]), 1)\nreturn self.o(p * q)",
         {{"a.weight", {6, 12}}, {"o.weight", {4, 3}}}},
        {"gated_recurrence_by_hand",
         {{{2, 12}}, {{2, 8}}},
         {linear("i", 12, 24), linear("h", 8, 24), linear("e", 8, 8), linear("o", 8, 4)},
         "s = self.e(y)\n"
         "r, z, n = torch.chunk(self.i(x), 3, 1)\n"
         "hr, hz, hn = torch.chunk(self.h(s), 3, 1)\n"
         "z = torch.sigmoid(z + hz)\n"
         "n = torch.tanh(n + torch.sigmoid(r + hr) * hn)\n"
         "return self.o((1 - z) * n + z * s)",
         {{"e.weight", {4, 8}}, {"i.weight", {12, 12}}, {"h.weight", {12, 4}}, {"o.weight", {4, 4}}}},
    };
}

}  // namespace

std::vector<SourceNetwork> gauntlet_joints() {
    auto all = sums();
    for (const auto& family : {concatenations(), splits()})
        all.insert(all.end(), family.begin(), family.end());
    return all;
}

}  // namespace mtlprune::toy
