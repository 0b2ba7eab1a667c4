// Operators whose result depends on every channel: pruning must stop at them, or be right. And sizes written
// as numbers.
#include "tests/pruning/gauntlet_networks.h"

namespace mtlprune::toy {
namespace {

/// Layer norm over all channels that are not zero everywhere.
const char* kMaskedNorm =
    "m = (torch.amax(torch.abs(x), [0, 2, 3], True) != 0).to(x.dtype)\n"
    "n = m.expand_as(x).sum([1, 2, 3], True)\n"
    "x = (x - (x * m).sum([1, 2, 3], True) / n) * m\n"
    "return x / torch.sqrt((x * x).sum([1, 2, 3], True) / n + 1e-5)";

/// conv a [8] -> `body` -> conv o: a must stay whole.
SourceNetwork stopped(const std::string& name, const std::string& body, int64_t in = 8) {
    return {name,
            kImage,
            {conv("a", 3, 8), conv("o", in, 4)},
            body,
            {{"a.weight", {8, 3, 1, 1}}, {"a.bias", {8}}, {"o.weight", {4, in, 1, 1}}}};
}

/// The same where an engine may know better: only the result counts.
SourceNetwork undecided(const std::string& name, const std::string& body, int64_t in = 8) {
    auto network = stopped(name, body, in);
    network.after.clear();
    return network;
}

/// conv a [16] -> `body` -> conv o with literal sizes
SourceNetwork literal(const std::string& name, int64_t in, int64_t left, const std::string& body) {
    return {name,
            kImage,
            {conv("a", 3, 16), conv("o", in, 4)},
            body,
            {{"a.weight", {8, 3, 1, 1}}, {"o.weight", {4, left, 1, 1}}},
            true};
}

}  // namespace

std::vector<SourceNetwork> gauntlet_barriers() {
    return {
        stopped("cumulative_sum_over_channels", "return self.o(torch.cumsum(torch.sigmoid(self.a(x)), 1))"),
        stopped("sort_over_channels", "y, i = torch.sort(self.a(x), 1)\nreturn self.o(y)"),
        stopped("topk_over_channels", "y, i = torch.topk(self.a(x), 4, 1)\nreturn self.o(y)", 4),
        stopped("softmax_over_channels", "return self.o(torch.softmax(self.a(x), 1))"),
        stopped("log_softmax_over_channels", "return self.o(torch.log_softmax(self.a(x), 1))"),
        stopped("mean_over_channels", "y = self.a(x)\nreturn self.o(y - y.mean([1], True))"),
        stopped("max_over_channels", "y = self.a(x)\nreturn self.o(y - torch.amax(y, [1], True))"),
        stopped("argmax_over_channels",
                "y = self.a(x)\ni = torch.argmax(y, 1, True)\nreturn self.o(y + i.to(y.dtype))"),
        stopped("variance_over_channels",
                "y = self.a(x)\nreturn self.o(y / (torch.var(y, [1], True, True) + 1.0))"),
        stopped("local_response_norm",
                "y = self.a(x)\n"
                "s = torch.avg_pool3d(torch.constant_pad_nd((y * y).unsqueeze(1), [0, 0, 0, 0, 2, 2], 0.0), "
                "[5, 1, 1], [1, 1, 1])\n"
                "return self.o(y / torch.pow(s.squeeze(1) * 0.1 + 1.0, 0.75))"),
        stopped("convolution_over_channels",
                "y = self.a(x)\nw = torch.ones([1, 1, 3, 1, 1], dtype=y.dtype)\n"
                "return self.o(torch.conv3d(y.unsqueeze(1), w, None, [1, 1, 1], [1, 0, 0]).squeeze(1))"),
        stopped("pooling_over_channels",
                "y = self.a(x)\ny = y.flatten(2).transpose(1, 2)\n"
                "y = torch.max_pool1d(y, [2]).transpose(1, 2)\n"
                "return self.o(y.view([x.size(0), -1, 8, 8]))",
                4),
        stopped("interpolation_over_channels",
                "y = self.a(x).flatten(2).transpose(1, 2)\n"
                "y = torch.upsample_linear1d(y, [16], False).transpose(1, 2)\n"
                "return self.o(y.view([x.size(0), -1, 8, 8]))",
                16),
        stopped("scatter_over_channels",
                "y = self.a(x)\ni = torch.argmax(y, 1, True)\n"
                "return self.o(torch.scatter(y, 1, i, 0.0))"),
        stopped("gather_over_channels",
                "y = self.a(x)\ni = torch.argsort(y, 1)\nreturn self.o(torch.gather(y, 1, i))"),
        stopped("product_over_channels", "return self.o(torch.prod(self.a(x), 1, True))", 1),
        stopped("minimum_of_all", "y = self.a(x)\nreturn self.o(y - torch.min(y))"),
        stopped("global_mean", "y = self.a(x)\nreturn self.o(y / torch.mean(y * y))"),
        {"norm_without_parameters",
         kImage,
         {conv("a", 3, 8),
          {"n", {}, "return torch.layer_norm(x, x.shape[1:], None, None, 1e-5, False)", kMaskedNorm},
          conv("o", 8, 4)},
         "return self.o(self.n(self.a(x)))",
         {}},
        undecided("gram_matrix",
                  "y = self.a(x).flatten(2)\n"
                  "g = torch.bmm(y, y.transpose(1, 2))\n"
                  "return self.o(g.view([x.size(0), 64, 1, 1]))",
                  64),
        undecided("gram_matrix_times_features",
                  "y = self.a(x)\nf = y.flatten(2)\n"
                  "g = torch.bmm(f, f.transpose(1, 2))\nreturn self.o(torch.bmm(g, f).view_as(y))"),
        undecided("norm_over_channels",
                  "y = self.a(x)\nreturn self.o(y / (torch.sqrt((y * y).sum([1], True)) + 0.1))"),
        undecided("frobenius_norm_over_channels",
                  "y = self.a(x)\nreturn self.o(y / (torch.norm(y, 2, [1], True) + 0.1))"),
        undecided("sum_of_rectified", "return self.o(torch.relu(self.a(x)).sum([1], True))", 1),
        undecided("where_positive", "y = self.a(x)\nreturn self.o(torch.where(y > 0.1, y, y * 0.5))"),
        undecided("masked_fill_large", "y = self.a(x)\nreturn self.o(y.masked_fill(y > 0.5, 0.25))"),
        undecided("clamped_by_another", "y = self.a(x)\nreturn self.o(torch.maximum(y, torch.neg(y)) * 0.5)"),
        undecided("index_add_rows",
                  "y = self.a(x)\ni = torch.zeros([2], dtype=4)\n"
                  "return self.o(torch.index_add(y, 0, i, y))"),
        undecided("softmax_over_pixels",
                  "y = self.a(x)\nreturn self.o(torch.softmax(y.flatten(2), -1).view_as(y))"),
        undecided("cumulative_sum_over_pixels", "return self.o(torch.cumsum(self.a(x), 3))"),
        undecided("flattened_mean",
                  "y = self.a(x)\nreturn self.o(y * y.flatten(1).mean([1]).view([-1, 1, 1, 1]))"),
        undecided("grid_sample",
                  "y = self.a(x)\n"
                  "grid = y[:, :2].permute([0, 2, 3, 1])\n"
                  "return self.o(torch.grid_sampler(y, grid, 0, 0, False))"),
        undecided("complex_numbers", "y = torch.fft_rfft2(self.a(x))\nreturn self.o(torch.fft_irfft2(y))"),
        undecided("one_hot_of_argmax",
                  "y = self.a(x)\ni = torch.one_hot(torch.argmax(y, 1), 8).permute([0, 3, 1, 2])\n"
                  "return self.o(i.to(y.dtype))"),
    };
}

std::vector<SourceNetwork> gauntlet_literals() {
    return {
        literal("channel_slice", 16, 8,
                "y = self.a(x)\nreturn self.o(torch.cat([y[:, :6], torch.relu(y[:, 6:])], 1))"),
        literal("roll_channels", 16, 8, "return self.o(torch.roll(self.a(x), [5], [1]))"),
        literal("roll_channels_back", 16, 8, "return self.o(torch.roll(self.a(x), [-3], [1]))"),
        literal("strided_channel_slice", 16, 8,
                "y = self.a(x)\nreturn self.o(torch.cat([y[:, ::2], torch.relu(y[:, 1::2])], 1))"),
        literal("negative_channel_slice", 16, 8,
                "y = self.a(x)\nreturn self.o(torch.cat([y[:, -4:], torch.relu(y[:, :-4])], 1))"),
        literal("narrow_channels", 16, 8,
                "y = self.a(x)\n"
                "return self.o(torch.cat([torch.narrow(y, 1, 6, 10), torch.narrow(y, 1, 0, 6)], 1))"),
        literal("split_with_sizes", 16, 8,
                "p, q = torch.split_with_sizes(self.a(x), [6, 10], 1)\nreturn self.o(torch.cat([q, p], 1))"),
        literal("split_by_size", 16, 8,
                "p, q = torch.split(self.a(x), 8, 1)\nreturn self.o(torch.cat([q, p], 1))"),
        literal("index_select_channels", 16, 8,
                "i = torch.tensor([3, 1, 0, 2, 7, 6, 5, 4, 15, 14, 13, 12, 11, 10, 9, 8])\n"
                "return self.o(torch.index_select(self.a(x), 1, i))"),
        literal("index_channels_by_list", 16, 8,
                "i = torch.tensor([3, 1, 0, 2, 7, 6, 5, 4, 15, 14, 13, 12, 11, 10, 9, 8])\n"
                "return self.o(self.a(x)[:, i])"),
        literal(
            "view_with_sizes", 16, 8,
            "y = self.a(x).view([2, 2, 8, 8, 8]).transpose(1, 2)\nreturn self.o(y.reshape([2, 16, 8, 8]))"),
        literal("reshape_alias_with_sizes", 16, 8,
                "y = torch._reshape_alias(self.a(x), [2, 2, 8, 8, 8], [1024, 512, 64, 8, 1])\n"
                "return self.o(y.transpose(1, 2).reshape([2, 16, 8, 8]))"),
        {"reshape_alias_of_transposed",
         kImage,
         {conv("a", 3, 16), conv("o", 16, 4)},
         "y = self.a(x).transpose(2, 3)\n"
         "return self.o(torch._reshape_alias(y, [2, 4, 4, 8, 8], [1024, 256, 64, 1, 8]).flatten(1, 2))",
         {{"a.weight", {16, 3, 1, 1}}},
         true},
        literal("view_drops_batch", 16, 8,
                "return self.o(torch.relu(self.a(x).reshape([16 * 2, 64])).view([-1, 16, 8, 8]))"),
        literal("expand_with_sizes", 16, 8,
                "y = self.a(x)\ns = y.mean([2, 3], True).expand([2, 16, 8, 8])\nreturn self.o(y * s)"),
        literal("constant_multiplied", 16, 8,
                "y = self.a(x)\n"
                "s = torch.tensor([1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12., 13., 14., 15., 16.])\n"
                "return self.o(y * s.to(y.dtype).view([1, 16, 1, 1]))"),
        literal("ones_like_added", 16, 8,
                "y = self.a(x)\nreturn self.o(y + torch.ones([1, 16, 1, 1], dtype=y.dtype))"),
        // What the padding adds may leave too.
        {"pad_channels_with_sizes",
         kImage,
         {conv("a", 3, 16), conv("o", 24, 4)},
         "y = torch.constant_pad_nd(self.a(x), [0, 0, 0, 0, 0, 8], 0.0)\n"
         "return self.o(y.view([2, 24, 8, 8]))",
         {{"a.weight", {8, 3, 1, 1}}},
         true},
        {"attention_with_sizes",
         {{{2, 6, 12}}},
         {linear("e", 12, 16), linear("qkv", 16, 48), linear("o", 16, 4)},
         "q, k, v = self.qkv(self.e(x)).reshape([2, 6, 3, 2, 8]).permute([2, 0, 3, 1, 4]).unbind(0)\n"
         "s = torch.softmax(torch.matmul(q, k.transpose(-2, -1)) * 0.35, -1)\n"
         "return self.o(torch.matmul(s, v).transpose(1, 2).reshape([2, 6, 16]))",
         {{"e.weight", {8, 12}}, {"qkv.weight", {24, 8}}, {"o.weight", {4, 8}}},
         true},
        // Fewer channels would change the scale: it has to stay what it was, or the width.
        {"attention_scaled_by_its_width",
         {{{2, 6, 12}}},
         {linear("q", 12, 8), linear("k", 12, 8), linear("v", 12, 8), linear("o", 8, 4)},
         "q, k = self.q(x), self.k(x)\n"
         "s = torch.matmul(q, k.transpose(-2, -1)) * (float(q.size(-1)) ** -0.5)\n"
         "return self.o(torch.matmul(torch.softmax(s, -1), self.v(x)))",
         {{"v.weight", {4, 12}}},
         true},
        {"mean_by_sum_and_width",
         kImage,
         {conv("a", 3, 16), conv("o", 1, 4)},
         "y = self.a(x)\nreturn self.o(y.sum([1], True) / float(y.size(1)))",
         {},
         true},
        {"grouped_conv_called_with_groups",
         kImage,
         {conv("a", 3, 16), parameter("w", {16, 1, 3, 3}), conv("o", 16, 4)},
         "y = self.a(x)\nreturn self.o(torch.conv2d(y, self.w, None, [1, 1], [1, 1], [1, 1], 16))",
         {{"a.weight", {8, 3, 1, 1}}, {"w", {8, 1, 3, 3}}, {"o.weight", {4, 8, 1, 1}}},
         true},
        literal("branch_on_the_channels", 16, 8,
                "y = self.a(x)\n"
                "if y.size(1) == 16:\n"
                "    y = torch.relu(y)\n"
                "else:\n"
                "    y = torch.neg(y)\n"
                "return self.o(y)"),
        literal("loop_over_chunks", 16, 8,
                "parts = torch.chunk(self.a(x), 2, 1)\n"
                "out = [x]\n"
                "for i in range(2):\n"
                "    out.append(parts[1 - i])\n"
                "return self.o(torch.cat(out[1:], 1))"),
    };
}

std::vector<SourceNetwork> gauntlet() {
    auto all = gauntlet_convolutions();
    for (const auto& family : {gauntlet_joints(), gauntlet_ends(), gauntlet_layouts(), gauntlet_attention(),
                               gauntlet_published(), gauntlet_mixers(), gauntlet_norms(), gauntlet_moving(),
                               gauntlet_made(), gauntlet_barriers(), gauntlet_traps(), gauntlet_literals()})
        all.insert(all.end(), family.begin(), family.end());
    return all;
}

}  // namespace mtlprune::toy
