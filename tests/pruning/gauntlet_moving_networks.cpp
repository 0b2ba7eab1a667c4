// Entries that are moved along other axes than the channels': un-pooling, sampling, gathering, scattering.
#include "tests/pruning/gauntlet_networks.h"

namespace mtlprune::toy {
namespace {

std::vector<SourceNetwork> resampling() {
    return {
        // SegNet
        {"unpooling",
         kImage,
         {conv("a", 3, 8, 3), conv("b", 8, 12, 3), conv("c", 12, 8, 3), conv("o", 8, 4)},
         "y, i = torch.max_pool2d_with_indices(torch.relu(self.a(x)), [2, 2], [2, 2])\n"
         "y = torch.relu(self.c(torch.relu(self.b(y))))\n"
         "return self.o(torch.max_unpool2d(y, i, [8, 8]))",
         {{"a.weight", {4, 3, 3, 3}}, {"b.weight", {6, 4, 3, 3}}, {"c.weight", {4, 6, 3, 3}}}},
        {"unpooling_of_sequences",
         kTokens,
         {linear("e", 12, 8), linear("o", 8, 4)},
         "y, i = torch.max_pool1d_with_indices(self.e(x).transpose(1, 2), [2], [2])\n"
         "y = torch.max_unpool2d(torch.tanh(y).unsqueeze(-1), i.unsqueeze(-1), [6, 1]).squeeze(-1)\n"
         "return self.o(y.transpose(1, 2))",
         {{"e.weight", {4, 12}}, {"o.weight", {4, 4}}}},
        {"unpooling_of_volumes",
         {{{2, 3, 4, 4, 4}}},
         {conv3d("a", 3, 8), conv3d("o", 8, 4)},
         "y, i = torch.max_pool3d_with_indices(self.a(x), [2, 2, 2], [2, 2, 2])\n"
         "return self.o(torch.max_unpool3d(torch.tanh(y), i, [4, 4, 4], [2, 2, 2], [0, 0, 0]))",
         {{"a.weight", {4, 3, 1, 1, 1}}}},
        {"unpooling_of_adaptive_pooling",
         kImage,
         {conv("a", 3, 8), conv("o", 8, 4)},
         "y, i = torch.adaptive_max_pool2d(self.a(x), [4, 4])\n"
         "return self.o(torch.max_unpool2d(y, i, [8, 8]))",
         {{"a.weight", {4, 3, 1, 1}}}},
        // What the positions say is no sum of zeros.
        {"positions_of_pooling_as_features",
         kImage,
         {conv("a", 3, 8), conv("o", 1, 4)},
         "y, i = torch.max_pool2d_with_indices(self.a(x), [2, 2], [2, 2])\n"
         "return self.o(i.to(x.dtype).sum([1], True))",
         {{"a.weight", {8, 3, 1, 1}}}},
        {"grid_from_elsewhere",
         {{{2, 3, 8, 8}}, {{2, 5, 6, 2}}},
         {conv("a", 3, 8), conv("o", 8, 4)},
         "return self.o(torch.grid_sampler(self.a(x), torch.tanh(y), 0, 0, False))",
         {{"a.weight", {4, 3, 1, 1}}}},
        {"grid_of_volumes",
         {{{2, 3, 4, 4, 4}}, {{2, 2, 3, 3, 3}}},
         {conv3d("a", 3, 8), conv3d("o", 8, 4)},
         "return self.o(torch.grid_sampler(self.a(x), torch.tanh(y), 0, 1, True))",
         {{"a.weight", {4, 3, 1, 1, 1}}}},
        // Deformable attention: the heads of the values and of the places are folded into the batch.
        {"grid_per_head",
         {{{2, 16, 12}}},
         {linear("v", 12, 8), linear("d", 12, 4), linear("w", 12, 2), linear("o", 8, 4)},
         "b = x.size(0)\n"
         "v = self.v(x).view([b, 16, 2, -1]).permute([0, 2, 3, 1]).reshape([b * 2, -1, 4, 4])\n"
         "g = torch.tanh(self.d(x)).view([b, 16, 2, 1, 2]).permute([0, 2, 1, 3, 4]).reshape([b * 2, 16, 1, "
         "2])\n"
         "w = torch.sigmoid(self.w(x)).transpose(1, 2).reshape([b * 2, 1, 16, 1])\n"
         "s = torch.grid_sampler(v, g, 0, 0, False) * w\n"
         "return self.o(s.sum([3]).reshape([b, -1, 16]).transpose(1, 2))",
         {{"v.weight", {4, 12}}, {"d.weight", {4, 12}}, {"w.weight", {2, 12}}, {"o.weight", {4, 4}}}},
        {"windows_folded_back",
         kImage,
         {conv("a", 3, 8), conv("o", 8, 4)},
         "y = torch.im2col(self.a(x), [3, 3], [1, 1], [1, 1], [1, 1])\n"
         "return self.o(torch.col2im(torch.relu(y), [8, 8], [3, 3], [1, 1], [1, 1], [1, 1]))",
         {{"a.weight", {4, 3, 1, 1}}}},
    };
}

/// e [8] and f [8] of tokens, `body` -> z -> o; y: positions of `count` tokens.
SourceNetwork moved(const std::string& name, const std::string& body, const Shape& positions = {6}) {
    return {name,
            {{{2, 6, 12}}, {positions, 6}},
            {linear("e", 12, 8), linear("f", 12, 8), linear("o", 8, 4)},
            "e, f = self.e(x), self.f(x)\n" + body + "\nreturn self.o(z)",
            {{"e.weight", {4, 12}}, {"f.weight", {4, 12}}, {"o.weight", {4, 4}}}};
}

std::vector<SourceNetwork> scattering() {
    const std::string wide = "i = y.view([1, -1, 1]).expand_as(e)\n";
    return {
        moved("index_add_of_tokens", "z = torch.index_add(torch.zeros_like(e), 1, y, f) + e"),
        moved("index_add_in_place", "z = torch.zeros_like(e)\nz.index_add_(1, y, f)\nz = z * e"),
        moved("index_copy_of_tokens", "z = torch.index_copy(e, 1, y, f)"),
        moved("index_fill_of_tokens", "z = torch.index_fill(e * f, 1, y, 0.5)"),
        moved("scatter_of_tokens", wide + "z = torch.scatter(e, 1, i, f)"),
        moved("scatter_of_a_number", wide + "z = torch.scatter(e * f, 1, i, 1.5)"),
        moved("scatter_add_of_tokens", wide + "z = torch.scatter_add(torch.zeros_like(e), 1, i, f) + e"),
        moved("scatter_reduce_of_tokens",
              wide + "z = torch.scatter_reduce(e, 1, i, f, \"mean\", include_self=True)"),
        moved("gather_of_tokens", wide + "z = torch.gather(e, 1, i) + f"),
        moved("gather_of_some_tokens",
              "z = torch.gather(e * f, 1, y.unsqueeze(-1).expand([-1, -1, e.size(2)]))", {2, 3}),
        moved("gather_by_repeated_positions",
              "z = torch.gather(e * f, 1, y.unsqueeze(-1).repeat([1, 1, e.size(2)]))", {2, 3}),
        moved("take_along_tokens", "z = torch.take_along_dim(e * f, y.unsqueeze(-1), 1)", {2, 3}),
        moved("tokens_put", "z = e.clone()\nz[:, y] = f"),
        moved("tokens_put_added",
              "z = e.clone()\nb = torch.tensor([0, 1])\nz = torch.index_put(z, [b, y], f[:, 0], True)", {2}),
        moved("token_replaced", "z = torch.select_scatter(e, f[:, 0], 1, 2)"),
        moved("tokens_replaced", "z = torch.slice_scatter(e, f[:, 1:3], 1, 2, 4)"),
        moved("tokens_by_mask", "m = y > 2\nz = torch.zeros_like(e)\nz[m] = f[m] * 2.0\nz = z + e", {2, 6}),
        moved("tokens_filled_by_mask",
              "m = (y > 2).unsqueeze(-1)\nz = (e * f).masked_fill(m, 0.0)\nz = z * z.sum([2], True)", {2, 6}),
        moved("masked_scatter_of_tokens",
              "m = (y > 2).unsqueeze(-1).expand_as(e)\nz = torch.masked_scatter(e, m, f)", {2, 6}),
        moved("closest_of_tokens",
              "z = e * torch.bucketize(f, torch.tensor([-0.5, 0.0, 0.5], dtype=x.dtype)).to(x.dtype)"),
    };
}

/// Where entries cannot be told apart by channel, or only some channels are reached: both stay whole.
SourceNetwork mixed(const std::string& name, const std::string& body) {
    auto network = moved(name, body);
    network.after = {{"e.weight", {8, 12}}, {"f.weight", {8, 12}}};
    return network;
}

std::vector<SourceNetwork> mixing() {
    return {
        mixed("masked_scatter_per_channel", "z = torch.masked_scatter(e, f > 0.0, f)"),
        mixed("scatter_of_some_channels",
              "i = y.view([1, -1, 1]).expand_as(e)[:, :, :4]\nz = torch.scatter(e, 1, i, f)"),
        mixed("gather_of_channels", "z = torch.gather(e, 2, torch.argsort(f, 2))"),
        mixed("index_add_of_channels", "z = torch.index_add(e, 2, torch.arange(8).flip([0]), f)"),
    };
}

std::vector<SourceNetwork> routing() {
    return {
        // Two of three experts per token; their results are added where they belong.
        {"experts_by_gates",
         kTokens,
         {linear("e", 12, 8), linear("r", 8, 3), linear("p", 8, 10), linear("q", 10, 8), linear("s", 8, 6),
          linear("t", 6, 8), linear("o", 8, 4)},
         "e = self.e(x)\nw, i = torch.topk(torch.softmax(self.r(e), -1), 2, -1)\n"
         "g = torch.scatter(torch.zeros([2, 6, 3], dtype=x.dtype), 2, i, w)\n"
         "u = self.q(torch.silu(self.p(e))) * g[:, :, 0:1]\n"
         "v = self.t(torch.silu(self.s(e))) * g[:, :, 1:2]\n"
         "return self.o(e * g[:, :, 2:] + u + v)",
         {{"e.weight", {4, 12}}, {"p.weight", {5, 4}}, {"s.weight", {3, 4}}, {"r.weight", {3, 4}}}},
        {"experts_by_rows",
         kTokens,
         {linear("e", 12, 8), linear("r", 8, 2), linear("p", 8, 10), linear("q", 10, 8), linear("o", 8, 4)},
         "e = self.e(x).flatten(0, 1)\nw, i = torch.topk(torch.softmax(self.r(e), -1), 1, -1)\n"
         "z = torch.zeros_like(e)\nn = torch.argsort(i[:, 0])[:4]\n"
         "h = self.q(torch.silu(self.p(torch.index_select(e, 0, n))))\n"
         "z.index_add_(0, n, h * torch.index_select(w, 0, n))\n"
         "return self.o((e + z).view([2, 6, -1]))",
         {{"e.weight", {4, 12}}, {"p.weight", {5, 4}}}},
    };
}

}  // namespace

std::vector<SourceNetwork> gauntlet_moving() {
    auto all = resampling();
    for (const auto& family : {scattering(), mixing(), routing()})
        all.insert(all.end(), family.begin(), family.end());
    return all;
}

}  // namespace mtlprune::toy
