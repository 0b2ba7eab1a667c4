// Channels that move: views, permutations, shuffles, slices, rolls, repeats, padding.
#include "tests/pruning/gauntlet_networks.h"

namespace mtlprune::toy {
namespace {

/// conv a [16] -> `body` -> conv o, which reads `in` channels and keeps `left` of them
SourceNetwork moved(const std::string& name, int64_t in, int64_t left, const std::string& body,
                    int64_t a = 8) {
    return {name,
            kImage,
            {conv("a", 3, 16), conv("o", in, 4)},
            body,
            {{"a.weight", {a, 3, 1, 1}}, {"o.weight", {4, left, 1, 1}}}};
}

std::vector<SourceNetwork> flattenings() {
    return {
        {"flatten_linear",
         {{{2, 3, 4, 4}}},
         {conv("a", 3, 16, 3), linear("f", 256, 10), linear("o", 10, 4)},
         "return self.o(torch.relu(self.f(torch.flatten(self.a(x), 1))))",
         {{"a.weight", {8, 3, 3, 3}}, {"f.weight", {5, 128}}, {"o.weight", {4, 5}}}},
        {"flatten_nhwc",
         {{{2, 3, 4, 4}}},
         {conv("a", 3, 16, 3), linear("o", 256, 4)},
         "return self.o(torch.flatten(self.a(x).permute([0, 2, 3, 1]), 1))",
         {{"a.weight", {8, 3, 3, 3}}, {"o.weight", {4, 128}}}},
        {"flatten_of_concat",
         {{{2, 3, 4, 4}}},
         {conv("a", 3, 4), conv("b", 3, 6), linear("o", 160, 4)},
         "return self.o(torch.cat([self.a(x), self.b(x)], 1).reshape([x.size(0), -1]))",
         {{"a.weight", {2, 3, 1, 1}}, {"b.weight", {3, 3, 1, 1}}, {"o.weight", {4, 80}}}},
        {"concat_of_flattened",
         {{{2, 3, 4, 4}}},
         {conv("a", 3, 4), conv("b", 3, 6), linear("o", 160, 4)},
         "return self.o(torch.cat([self.a(x).flatten(1), self.b(x).flatten(1)], 1))",
         {{"a.weight", {2, 3, 1, 1}}, {"b.weight", {3, 3, 1, 1}}, {"o.weight", {4, 80}}}},
        {"unflatten_to_conv",
         {{{2, 12}}},
         {linear("a", 12, 128), conv("c", 8, 8), conv("o", 8, 4)},
         "return self.o(torch.relu(self.c(self.a(x).view([x.size(0), -1, 4, 4]))))",
         {{"a.weight", {64, 12}}, {"c.weight", {4, 4, 1, 1}}, {"o.weight", {4, 4, 1, 1}}}},
        {"flatten_norm_unflatten",
         {{{2, 3, 4, 4}}},
         {conv("a", 3, 8), batch_norm("n", 128), conv("o", 8, 4)},
         "return self.o(self.n(self.a(x).flatten(1)).view([x.size(0), -1, 4, 4]))",
         {{"a.weight", {4, 3, 1, 1}},
          {"n.weight", {64}},
          {"n.running_var", {64}},
          {"o.weight", {4, 4, 1, 1}}}},
        {"global_pool_view",
         kImage,
         {conv("a", 3, 16), linear("o", 16, 4)},
         "y = torch.adaptive_avg_pool2d(self.a(x), [1, 1])\nreturn self.o(y.view([y.size(0), -1]))",
         {{"a.weight", {8, 3, 1, 1}}, {"o.weight", {4, 8}}}},
        {"squeeze_of_pooled",
         kImage,
         {conv("a", 3, 16), linear("o", 16, 4)},
         "return self.o(torch.adaptive_max_pool2d(self.a(x), [1, 1])[0].squeeze(-1).squeeze(-1))",
         {{"a.weight", {8, 3, 1, 1}}, {"o.weight", {4, 8}}}},
        {"squeeze_singleton_channel",
         kImage,
         {conv("a", 3, 8), conv("b", 8, 1), conv("o", 8, 4)},
         "y = self.a(x)\nreturn self.o(y * self.b(y).squeeze(1).unsqueeze(1))",
         {{"a.weight", {4, 3, 1, 1}}, {"b.weight", {1, 4, 1, 1}}, {"o.weight", {4, 4, 1, 1}}}},
        {"channels_last_linear",
         kImage,
         {conv("a", 3, 16), linear("b", 16, 8), conv("o", 8, 4)},
         "y = torch.gelu(self.b(self.a(x).permute([0, 2, 3, 1])))\nreturn self.o(y.permute([0, 3, 1, 2]))",
         {{"a.weight", {8, 3, 1, 1}}, {"b.weight", {4, 8}}, {"o.weight", {4, 4, 1, 1}}}},
        {"channels_in_the_batch",
         kImage,
         {conv("a", 3, 16), conv("b", 1, 1, 3), conv("o", 16, 4)},
         "y = self.a(x)\nz = self.b(y.view([-1, 1, 8, 8]))\nreturn self.o(z.view_as(y))",
         {}},
    };
}

std::vector<SourceNetwork> shuffles() {
    return {
        moved("channel_shuffle", 16, 8,
              "y = self.a(x)\nb, c, h, w = y.shape\n"
              "y = y.view([b, 2, c // 2, h, w]).transpose(1, 2)\n"
              "return self.o(y.reshape([b, c, h, w]))"),
        {"channel_shuffle_between_grouped",
         kImage,
         {conv("a", 3, 16), conv("g", 16, 16, 1, 4), conv("d", 16, 16, 3, 16), conv("h", 16, 16, 1, 4),
          conv("o", 16, 4)},
         "y = self.g(self.a(x))\nb, c, h, w = y.shape\n"
         "y = y.view([b, 4, c // 4, h, w]).transpose(1, 2).reshape([b, c, h, w])\n"
         "return self.o(self.h(self.d(y)))",
         {}},
        {"shufflenet_unit",
         kImage,
         {conv("a", 3, 16), conv("m", 8, 8), conv("o", 16, 4)},
         "p, q = torch.chunk(self.a(x), 2, 1)\ny = torch.cat([p, torch.relu(self.m(q))], 1)\n"
         "b, c, h, w = y.shape\n"
         "y = y.view([b, 2, c // 2, h, w]).transpose(1, 2).reshape([b, -1, h, w])\n"
         "p, q = torch.chunk(y, 2, 1)\n"
         "return self.o(torch.cat([p, q], 1))",
         {}},
        moved("pixel_shuffle", 4, 2, "return self.o(torch.pixel_shuffle(self.a(x), 2))"),
        {"pixel_shuffle_by_hand",
         kImage,
         {conv("a", 3, 16), conv("o", 4, 4)},
         "y = self.a(x)\nb, c, h, w = y.shape\n"
         "y = y.view([b, c // 4, 2, 2, h, w]).permute([0, 1, 4, 2, 5, 3])\n"
         "return self.o(y.reshape([b, c // 4, 2 * h, 2 * w]))",
         {{"a.weight", {8, 3, 1, 1}}, {"o.weight", {4, 2, 1, 1}}}},
        moved("pixel_unshuffle", 64, 32, "return self.o(torch.pixel_unshuffle(self.a(x), 2))"),
        moved("pixel_unshuffle_by_hand", 64, 32,
              "y = self.a(x)\nb, c, h, w = y.shape\n"
              "y = y.view([b, c, h // 2, 2, w // 2, 2]).permute([0, 1, 3, 5, 2, 4])\n"
              "return self.o(y.reshape([b, c * 4, h // 2, w // 2]))"),
        moved("depth_to_space_other_order", 4, 2,
              "y = self.a(x)\nb, c, h, w = y.shape\n"
              "y = y.view([b, 2, 2, c // 4, h, w]).permute([0, 3, 4, 1, 5, 2])\n"
              "return self.o(y.reshape([b, c // 4, 2 * h, 2 * w]))"),
        moved("channel_halves_swapped_by_view", 16, 8,
              "y = self.a(x)\nb, c, h, w = y.shape\n"
              "y = torch.flip(y.view([b, 2, c // 2, h, w]), [1])\n"
              "return self.o(y.reshape([b, c, h, w]))"),
    };
}

std::vector<SourceNetwork> movements() {
    return {
        moved("flip_channels", 16, 8, "return self.o(torch.flip(self.a(x), [1]))"),
        moved("flip_and_add", 16, 8, "y = self.a(x)\nreturn self.o(y + torch.flip(y, [1]))"),
        // Channel i is added to i - 1: all hang together, none can leave.
        moved("roll_and_add", 16, 16, "y = self.a(x)\nreturn self.o(y + torch.roll(y, [1], [1]))", 16),
        moved("roll_image", 16, 8, "return self.o(torch.roll(self.a(x), [1, 2], [2, 3]))"),
        moved("repeat_channels", 32, 16, "return self.o(self.a(x).repeat([1, 2, 1, 1]))"),
        moved("repeat_interleave_channels", 32, 16,
              "return self.o(torch.repeat_interleave(self.a(x), 2, 1))"),
        moved("repeat_by_expand", 32, 16,
              "y = self.a(x)\nb, c, h, w = y.shape\n"
              "return self.o(y.unsqueeze(2).expand([b, c, 2, h, w]).reshape([b, c * 2, h, w]))"),
        moved("narrow_all", 16, 8, "y = self.a(x)\nreturn self.o(torch.narrow(y, 1, 0, y.size(1)))"),
        moved("slice_image", 16, 8, "return self.o(self.a(x)[:, :, 1:, ::2])"),
        moved("select_row", 16, 8, "return self.o(self.a(x)[:, :, 1:2])"),
        moved("split_rows", 16, 8,
              "p, q = torch.split(self.a(x), [3, 5], 2)\nreturn self.o(torch.cat([q, p], 2))"),
        moved("pad_image", 16, 8, "return self.o(torch.reflection_pad2d(self.a(x), [1, 1, 1, 1]))"),
        moved("pad_image_constant", 16, 8,
              "return self.o(torch.constant_pad_nd(self.a(x), [1, 1, 1, 1], 0.5))"),
        {"pad_shortcut_channels",
         kImage,
         {conv("a", 3, 8), conv("b", 8, 12), conv("o", 12, 4)},
         // The padding makes up the difference, so that only what it adds can leave alone.
         "y = self.a(x)\nz = self.b(y)\n"
         "y = torch.constant_pad_nd(y, [0, 0, 0, 0, 0, z.size(1) - y.size(1)], 0.0)\n"
         "return self.o(y + z)",
         {}},
        // What the padding adds may leave too.
        {"pad_channels",
         kImage,
         {conv("a", 3, 16), conv("o", 19, 4)},
         "return self.o(torch.constant_pad_nd(self.a(x), [0, 0, 0, 0, 1, 2], 0.0))",
         {{"a.weight", {8, 3, 1, 1}}}},
        {"pad_channels_by_concat",
         kImage,
         {conv("a", 3, 16), conv("o", 19, 4)},
         "y = self.a(x)\nz = torch.zeros([y.size(0), 3, 8, 8], dtype=y.dtype)\n"
         "return self.o(torch.cat([y, z], 1))",
         {{"a.weight", {8, 3, 1, 1}}}},
        {"swap_batch_and_channels",
         kImage,
         {conv("a", 3, 16), conv("o", 16, 4)},
         "y = self.a(x).transpose(0, 1)\nreturn self.o(torch.relu(y).transpose(0, 1))",
         {{"a.weight", {8, 3, 1, 1}}, {"o.weight", {4, 8, 1, 1}}}},
        {"window_partition",
         kImage,
         {conv("a", 3, 8), linear("b", 8, 8), conv("o", 8, 4)},
         "y = self.a(x).permute([0, 2, 3, 1])\nb, h, w, c = y.shape\n"
         "y = y.view([b, h // 4, 4, w // 4, 4, c]).permute([0, 1, 3, 2, 4, 5]).reshape([-1, 16, c])\n"
         "y = self.b(y)\nc = y.size(2)\n"
         "y = y.view([b, h // 4, w // 4, 4, 4, c]).permute([0, 1, 3, 2, 4, 5]).reshape([b, h, w, c])\n"
         "return self.o(y.permute([0, 3, 1, 2]))",
         {{"a.weight", {4, 3, 1, 1}}, {"b.weight", {4, 4}}, {"o.weight", {4, 4, 1, 1}}}},
        {"patch_merging",
         kImage,
         {conv("a", 3, 8), linear("b", 32, 8), linear("o", 8, 4)},
         "y = self.a(x).permute([0, 2, 3, 1])\n"
         "y = torch.cat([y[:, 0::2, 0::2], y[:, 1::2, 0::2], y[:, 0::2, 1::2], y[:, 1::2, 1::2]], -1)\n"
         "return self.o(torch.relu(self.b(y)))",
         {{"a.weight", {4, 3, 1, 1}}, {"b.weight", {4, 16}}, {"o.weight", {4, 4}}}},
        {"unfold_patches",
         kImage,
         {conv("a", 3, 8), linear("b", 72, 8), linear("o", 8, 4)},
         "y = torch.im2col(self.a(x), [3, 3], [1, 1], [1, 1], [1, 1])\n"
         "return self.o(torch.relu(self.b(y.transpose(1, 2))))",
         {}},
        {"focus_slices",
         kImage,
         {conv("a", 3, 8), conv("b", 32, 8), conv("o", 8, 4)},
         "y = self.a(x)\n"
         "y = torch.cat([y[..., ::2, ::2], y[..., 1::2, ::2], y[..., ::2, 1::2], y[..., 1::2, 1::2]], 1)\n"
         "return self.o(self.b(y))",
         {{"a.weight", {4, 3, 1, 1}}, {"b.weight", {4, 16, 1, 1}}}},
    };
}

}  // namespace

std::vector<SourceNetwork> gauntlet_layouts() {
    auto all = flattenings();
    for (const auto& family : {shuffles(), movements()}) all.insert(all.end(), family.begin(), family.end());
    return all;
}

}  // namespace mtlprune::toy
