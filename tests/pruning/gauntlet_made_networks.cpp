// Values that the program makes of numbers and positions, grids that it rounds to, distances, complex
// numbers.
#include "tests/pruning/gauntlet_networks.h"

namespace mtlprune::toy {
namespace {

/// e [16] + positions p [6, 16] made by `body` -> f -> o. In C++ the positions would be numbered anew.
SourceNetwork positions(const std::string& name, const std::string& body) {
    return {name,
            kTokens,
            {linear("e", 12, 16), linear("f", 16, 16), linear("o", 16, 4)},
            "y = self.e(x)\nc = y.size(2)\nt = torch.arange(6).to(x.dtype).unsqueeze(1)\n" + body +
                "\ny = y + p\nreturn self.o(y + torch.relu(self.f(y)))",
            {{"e.weight", {8, 12}}, {"f.weight", {8, 8}}, {"o.weight", {4, 8}}},
            true};
}

std::vector<SourceNetwork> position_codes() {
    const std::string frequencies = "f = torch.exp(torch.arange(0, c, 2).to(x.dtype) * (-4.0 / float(c)))\n";
    return {
        positions("position_code_halves",
                  frequencies + "p = torch.cat([torch.sin(t * f), torch.cos(t * f)], 1)"),
        positions("position_code_pairs",
                  frequencies + "p = torch.stack([torch.sin(t * f), torch.cos(t * f)], 2).flatten(1)"),
        positions("position_code_written",
                  frequencies + "p = torch.zeros([6, c], dtype=x.dtype)\n"
                                "p[:, 0::2] = torch.sin(t * f)\np[:, 1::2] = torch.cos(t * f)"),
        // DETR
        positions("position_code_of_sliced_pairs",
                  "i = torch.arange(c)\nf = torch.pow(50.0, 2.0 * torch.floor_divide(i, 2).to(x.dtype) / "
                  "float(c))\n"
                  "q = t / f\np = torch.stack([torch.sin(q[:, 0::2]), torch.cos(q[:, 1::2])], 2).flatten(1)"),
        positions("slopes_of_channels", "p = t * torch.linspace(0.1, 0.9, c, dtype=x.dtype)"),
        {"identity_matrix",
         kTokens,
         {linear("e", 12, 16), linear("o", 16, 4)},
         "y = self.e(x)\nreturn self.o(torch.matmul(y, torch.eye(y.size(2), dtype=x.dtype)))",
         {{"e.weight", {8, 12}}, {"o.weight", {4, 8}}},
         true},
        {"lower_triangle_of_tokens",
         kTokens,
         {linear("e", 12, 16), linear("o", 16, 4)},
         "m = torch.tril(torch.ones([6, 6], dtype=x.dtype))\nreturn self.o(torch.matmul(m, self.e(x)))",
         {{"e.weight", {8, 12}}, {"o.weight", {4, 8}}}},
        {"lower_triangle_of_channels",
         kTokens,
         {linear("e", 12, 6), linear("o", 6, 4)},
         "return self.o(torch.tril(self.e(x)))",
         {{"e.weight", {6, 12}}}},
    };
}

std::vector<SourceNetwork> heads_and_widths() {
    return {
        // Transformer-XL: parameters [heads, width] beside values that are seen as [heads, width].
        {"biases_per_head",
         kTokens,
         {linear("q", 12, 8), linear("k", 12, 8), linear("v", 12, 8), parameter("u", {2, 4}),
          parameter("w", {2, 4}), parameter("r", {6, 8}), linear("o", 8, 4)},
         "q = self.q(x).view([x.size(0), 6, 2, -1])\n"
         "k = self.k(x).view([x.size(0), 6, 2, -1]).permute([0, 2, 3, 1])\n"
         "v = self.v(x).view([x.size(0), 6, 2, -1]).transpose(1, 2)\n"
         "r = self.r.view([6, 2, -1]).permute([1, 2, 0])\n"
         "s = torch.matmul((q + self.u).transpose(1, 2), k) + torch.matmul((q + self.w).transpose(1, 2), r)\n"
         "z = torch.matmul(torch.softmax(s, -1), v)\n"
         "return self.o(z.transpose(1, 2).reshape([x.size(0), 6, -1]))",
         {{"q.weight", {4, 12}}, {"u", {2, 2}}, {"w", {2, 2}}, {"r", {6, 4}}, {"v.weight", {4, 12}}}},
        // MLA: keys and values from few numbers; a part of the keys with positions, of one head for all.
        {"latent_attention",
         kTokens,
         {linear("q", 12, 16), linear("c", 12, 6), linear("kv", 6, 16), linear("p", 12, 4),
          linear("o", 8, 4)},
         "b, n = x.size(0), x.size(1)\n"
         "q = self.q(x).view([b, n, 2, 8]).transpose(1, 2)\nl = torch.relu(self.c(x))\n"
         "k, v = torch.chunk(self.kv(l).view([b, n, 2, 8]).transpose(1, 2), 2, -1)\n"
         "p = self.p(x).view([b, n, 1, 4]).transpose(1, 2).expand([b, 2, n, 4])\n"
         "s = torch.matmul(q, torch.cat([k, p], -1).transpose(-2, -1))\n"
         "z = torch.matmul(torch.softmax(s, -1), v)\n"
         "return self.o(z.transpose(1, 2).reshape([b, n, -1]))",
         {{"c.weight", {3, 12}}},
         true},
    };
}

std::vector<SourceNetwork> rounding() {
    return {
        {"rounded_activations",
         kImage,
         {conv("a", 3, 8), conv("o", 8, 4)},
         "y = torch.fake_quantize_per_tensor_affine(self.a(x), 0.05, 3, -128, 127)\n"
         "return self.o(y * y.sum([1], True))",
         {{"a.weight", {4, 3, 1, 1}}}},
        // Nobody knows whether the grid has a zero: what leaves may be none.
        {"rounded_to_any_grid",
         kImage,
         {conv("a", 3, 8), buffer("z", {8}), conv("o", 1, 4)},
         "y, z = self.a(x), self.z.to(6)\n"
         "y = torch.fake_quantize_per_channel_affine(y, torch.ones_like(z) * 0.05, z, 1, -128, 127)\n"
         "return self.o(y.sum([1], True))",
         {{"a.weight", {8, 3, 1, 1}}}},
        {"rounded_weights",
         kImage,
         {parameter("w", {8, 3, 3, 3}), parameter("b", {8}), buffer("s", {8}), conv("o", 8, 4)},
         "s = (torch.abs(self.s) * 0.01 + 0.01).to(6)\nz = torch.zeros_like(s).to(3)\n"
         "w = torch.fake_quantize_per_channel_affine(self.w, s, z, 0, -128, 127)\n"
         "return self.o(torch.relu(torch.conv2d(x, w, self.b, [1, 1], [1, 1])))",
         {{"w", {4, 3, 3, 3}}, {"s", {4}}, {"o.weight", {4, 4, 1, 1}}}},
        {"rounded_by_learnt_grid",
         kImage,
         {conv("a", 3, 8), parameter("s", {8}), parameter("z", {8}), conv("o", 8, 4)},
         "s = (torch.abs(self.s) * 0.01 + 0.01).to(6)\n"
         "y = torch._fake_quantize_learnable_per_channel_affine(self.a(x).to(6), s, self.z.to(6), 1, -128, "
         "127, 1.0)\n"
         "return self.o(torch.relu(y.to(x.dtype)))",
         {{"a.weight", {4, 3, 1, 1}}, {"s", {4}}, {"z", {4}}}},
    };
}

std::vector<SourceNetwork> distances() {
    return {
        {"distances_to_prototypes",
         kTokens,
         {linear("e", 12, 8), parameter("p", {5, 8}), linear("o", 5, 4)},
         "return self.o(torch.cdist(self.e(x), self.p))",
         {{"e.weight", {4, 12}}, {"p", {5, 4}}}},
        {"distances_of_lifted",
         kTokens,
         {linear("e", 12, 8), parameter("p", {5, 8}), linear("o", 5, 4)},
         "return self.o(torch.cdist(torch.sigmoid(self.e(x)), self.p, 1.0))",
         {{"e.weight", {8, 12}}, {"p", {5, 8}}}},
        {"cosines",
         kTokens,
         {linear("e", 12, 8), linear("f", 12, 8), linear("o", 6, 4)},
         "return self.o(torch.cosine_similarity(self.e(x), self.f(x), -1))",
         {{"e.weight", {4, 12}}, {"f.weight", {4, 12}}}},
        {"distances_with_epsilon",
         kTokens,
         {linear("e", 12, 8), linear("f", 12, 8), linear("o", 6, 4)},
         "return self.o(torch.pairwise_distance(self.e(x), self.f(x)))",
         {{"e.weight", {8, 12}}, {"f.weight", {8, 12}}}},
        {"frobenius_norm_of_channels",
         kImage,
         {conv("a", 3, 8), conv("o", 8, 4)},
         "y = self.a(x)\nreturn self.o(y / (torch.frobenius_norm(y, [1], True) + 0.1))",
         {{"a.weight", {4, 3, 1, 1}}}},
        {"vector_norms_of_channels",
         kImage,
         {conv("a", 3, 8), conv("o", 8, 4)},
         "y = self.a(x)\nu = torch.linalg_vector_norm(y, 1.0, [1], True)\nv = torch.linalg_norm(y, 3.0, [1], "
         "True)\n"
         "return self.o(y / (u + v + torch.norm(y) + 0.1))",
         {{"a.weight", {4, 3, 1, 1}}}},
        {"smallest_of_channels",
         kImage,
         {conv("a", 3, 8), conv("o", 8, 4)},
         "y = self.a(x)\nreturn self.o(y * torch.linalg_vector_norm(y, -1.0, [1], True))",
         {{"a.weight", {8, 3, 1, 1}}}},
        {"sum_of_clamped",
         kImage,
         {conv("a", 3, 8), conv("o", 1, 4)},
         "return self.o(self.a(x).clamp_min(0.0).sum([1], True))",
         {{"a.weight", {4, 3, 1, 1}}}},
        {"sum_of_lifted",
         kImage,
         {conv("a", 3, 8), conv("o", 1, 4)},
         "return self.o(self.a(x).clamp_min(0.5).sum([1], True))",
         {{"a.weight", {8, 3, 1, 1}}}},
    };
}

std::vector<SourceNetwork> less_common_operators() {
    return {
        {"tensordot_of_tokens",
         kTokens,
         {linear("e", 12, 8), parameter("w", {8, 2, 5}), linear("o", 5, 4)},
         "y = torch.tensordot(self.e(x), self.w, [2], [0])\nreturn self.o(torch.relu(y).sum([2]))",
         {{"e.weight", {4, 12}}, {"w", {4, 1, 3}}, {"o.weight", {4, 3}}}},
        {"inner_products",
         kTokens,
         {linear("e", 12, 8), parameter("p", {6, 8}), linear("o", 6, 4)},
         "return self.o(torch.inner(self.e(x), self.p))",
         {{"e.weight", {4, 12}}, {"p", {3, 4}}, {"o.weight", {4, 3}}}},
        {"table_read_by_one_hot",
         {{{2, 6}, 9}},
         {parameter("t", {9, 8}), linear("f", 8, 10), linear("o", 10, 4)},
         "y = torch.matmul(torch.one_hot(x, 9).to(self.t.dtype), self.t)\n"
         "return self.o(torch.relu(self.f(y)))",
         {{"t", {9, 4}}, {"f.weight", {5, 4}}, {"o.weight", {4, 5}}}},
        {"coordinates_of_pixels",
         kImage,
         {conv("a", 3, 8), conv("b", 2, 8), conv("o", 8, 4)},
         "u, v = torch.meshgrid([torch.arange(x.size(2)).to(x.dtype), torch.arange(x.size(3)).to(x.dtype)])\n"
         "return self.o(torch.relu(self.a(x) + self.b(torch.stack([u, v], 0).unsqueeze(0))))",
         {{"a.weight", {4, 3, 1, 1}}, {"b.weight", {4, 2, 1, 1}}}},
        // GCViT: one query for every window, as many as there are.
        {"queries_repeated_for_windows",
         kImage,
         {conv("a", 3, 8), linear("q", 8, 8), linear("k", 8, 8), linear("v", 8, 8), linear("o", 8, 4)},
         "y = self.a(x)\nb, n = y.size(0), y.size(2) // 4\n"
         "g = torch.avg_pool2d(y, [2, 2], [2, 2]).flatten(2).transpose(1, 2)\n"
         "w = y.view([b, y.size(1), n, 4, n, 4]).permute([0, 2, 4, 3, 5, 1]).reshape([b * n * n, 16, -1])\n"
         "q = torch.repeat_interleave(self.q(g), n * n, 0)\n"
         "s = torch.softmax(torch.matmul(q, self.k(w).transpose(1, 2)), -1)\n"
         "return self.o(torch.matmul(s, self.v(w)))",
         {{"a.weight", {4, 3, 1, 1}}, {"q.weight", {4, 4}}, {"k.weight", {4, 4}}, {"v.weight", {4, 4}}}},
    };
}

std::vector<SourceNetwork> complex_numbers() {
    return {
        {"rotary_complex",
         kTokens,
         {linear("q", 12, 16), linear("k", 12, 16), linear("v", 12, 8), buffer("w", {4}), linear("o", 8, 4)},
         "b, n = x.size(0), x.size(1)\n"
         "a = torch.outer(torch.arange(6).to(x.dtype), self.w)\nr = torch.polar(torch.ones_like(a), "
         "a).unsqueeze(1)\n"
         "q = torch.view_as_complex(self.q(x).view([b, n, 2, -1, 2])) * r\n"
         "k = torch.view_as_complex(self.k(x).view([b, n, 2, -1, 2])) * r\n"
         "q = torch.view_as_real(q).flatten(3).transpose(1, 2)\n"
         "k = torch.view_as_real(k).flatten(3).transpose(1, 2)\n"
         "v = self.v(x).view([b, n, 2, -1]).transpose(1, 2)\n"
         "z = torch.matmul(torch.softmax(torch.matmul(q, k.transpose(-2, -1)), -1), v)\n"
         "return self.o(z.transpose(1, 2).reshape([b, n, -1]))",
         {{"q.weight", {8, 12}}, {"k.weight", {8, 12}}, {"w", {2}}, {"v.weight", {4, 12}}}},
        // GFNet
        {"filters_of_frequencies",
         kImage,
         {conv("a", 3, 8), parameter("w", {8, 8, 5}), conv("o", 8, 4)},
         "y = torch.fft_rfft2(self.a(x)) * self.w\nreturn self.o(torch.fft_irfft2(y))",
         {{"a.weight", {4, 3, 1, 1}}, {"w", {4, 8, 5}}}},
        {"frequencies_of_channels",
         kTokens,
         {linear("e", 12, 8), linear("o", 8, 4)},
         "return self.o(torch.real(torch.fft_fft(self.e(x))))",
         {{"e.weight", {8, 12}}}},
    };
}

std::vector<SourceNetwork> recurrences() {
    return {
        // Mamba: a causal depthwise convolution and a scan over time, as written in Python.
        {"selective_scan",
         kTokens,
         {linear("i", 12, 16), conv1d("c", 8, 8, 3, 8), linear("d", 8, 8), linear("b", 8, 5),
          linear("r", 8, 5), parameter("a", {8, 5}), parameter("s", {8}), linear("o", 8, 4)},
         "y, g = torch.chunk(self.i(x), 2, -1)\n"
         "y = torch.silu(self.c(y.transpose(1, 2)).transpose(1, 2))\n"
         "d = torch.softplus(self.d(y))\nu, r = self.b(y), self.r(y)\n"
         "f = torch.exp(d.unsqueeze(-1) * torch.neg(torch.exp(self.a)))\n"
         "v = torch.einsum(\"bld,bln,bld->bldn\", [d, u, y])\n"
         "h = torch.zeros_like(v[:, 0])\nparts = [y[:, 0]]\n"
         "for t in range(6):\n"
         "    h = f[:, t] * h + v[:, t]\n"
         "    parts.append(torch.einsum(\"bdn,bn->bd\", [h, r[:, t]]))\n"
         "z = torch.stack(parts[1:], 1) + y * self.s\n"
         "return self.o(z * torch.silu(g))",
         {{"i.weight", {8, 12}},
          {"c.weight", {4, 1, 3}},
          {"a", {4, 3}},
          {"b.weight", {3, 4}},
          {"s", {4}},
          {"o.weight", {4, 4}}}},
        // RWKV: every token is mixed with the one before it.
        {"token_shift",
         kTokens,
         {linear("e", 12, 8), parameter("m", {8}), linear("k", 8, 10), linear("r", 8, 8), linear("v", 10, 8),
          linear("o", 8, 4)},
         "y = self.e(x)\ns = torch.constant_pad_nd(y, [0, 0, 1, -1], 0.0)\n"
         "z = y * self.m + s * (1.0 - self.m)\nw = torch.lerp(y, s, self.m)\n"
         "return self.o(y + torch.sigmoid(self.r(w)) * self.v(torch.square(torch.relu(self.k(z)))))",
         {{"e.weight", {4, 12}}, {"m", {4}}, {"k.weight", {5, 4}}, {"r.weight", {4, 4}}}},
    };
}

}  // namespace

std::vector<SourceNetwork> gauntlet_made() {
    auto all = position_codes();
    for (const auto& family : {heads_and_widths(), rounding(), distances(), less_common_operators(),
                               complex_numbers(), recurrences()})
        all.insert(all.end(), family.begin(), family.end());
    return all;
}

}  // namespace mtlprune::toy
