// Sums over channels that are not zero when their weights are: a channel of zeros is not a channel that is
// not there.
#include "tests/pruning/gauntlet_networks.h"

namespace mtlprune::toy {
namespace {

/// conv a [8] -> `body` -> conv o: a must stay whole.
SourceNetwork must_stay(const std::string& name, const std::string& body, int64_t in = 1) {
    return {name, kImage, {conv("a", 3, 8), conv("o", in, 4)}, body, {{"a.weight", {8, 3, 1, 1}}}};
}

/// What writes into `view` of y writes into y.
SourceNetwork written_through(const std::string& name, const std::string& view) {
    return must_stay("in_place_through_" + name + "_then_sum",
                     "y = self.a(x)\n" + view + ".add_(1.0)\nreturn self.o(y.sum([1], True))");
}

}  // namespace

std::vector<SourceNetwork> gauntlet_traps() {
    return {
        written_through("swapaxes", "torch.swapaxes(y, 2, 3)"),
        written_through("moveaxis", "torch.moveaxis(y, [2], [3])"),
        written_through("broadcast_to", "torch.broadcast_to(y, y.size())"),
        written_through("unfold", "y.unfold(2, 2, 2)"),
        written_through("tensor_split", "torch.tensor_split(y, 2, 2)[1]"),
        written_through("conversion", "y.to(y.dtype)"),
        must_stay("sum_of_sigmoids",
                  "return self.o(torch.sigmoid(self.a(x)).sum([1], True) + x.sum([1], True))"),
        must_stay("product_of_exponentials",
                  "y = torch.exp(self.a(x)).flatten(2)\n"
                  "return self.o(torch.matmul(y.transpose(1, 2), y).view([x.size(0), 64, 8, 8]))",
                  64),
        must_stay("sum_of_shifted", "return self.o((self.a(x) + 1.0).sum([1], True))"),
        {"sum_with_buffer",
         kImage,
         {conv("a", 3, 8), buffer("m", {8, 1, 1}), conv("o", 1, 4)},
         "return self.o((self.a(x) + self.m).sum([1], True))",
         {{"a.weight", {8, 3, 1, 1}}}},
        must_stay("in_place_shift_then_sum", "y = self.a(x)\ny.add_(1.0)\nreturn self.o(y.sum([1], True))"),
        must_stay("in_place_on_a_view_then_sum",
                  "y = self.a(x)\ny.select(2, 0).add_(1.0)\nreturn self.o(y.sum([1], True))"),
        must_stay("in_place_exponential_of_a_view_then_sum",
                  "y = self.a(x)\ny.flatten(2).exp_()\nreturn self.o(y.sum([1], True))"),
        must_stay("divided_by_itself_then_sum",
                  "y = torch.exp(self.a(x))\nreturn self.o((y / (y + 1.0)).sum([1], True))"),
        must_stay("minimum_with_a_number_then_sum",
                  "return self.o(torch.clamp(self.a(x), 0.2, 0.5).sum([1], True))"),
        must_stay("padded_then_sum",
                  "y = torch.constant_pad_nd(self.a(x), [1, 1, 1, 1], 0.5)\nreturn self.o(y.sum([1], True))"),
        must_stay("power_zero_then_sum", "return self.o(torch.pow(self.a(x), 0.0).sum([1], True))"),
        must_stay("softmax_of_pixels_then_sum",
                  "y = torch.softmax(self.a(x).flatten(2), 2)\n"
                  "return self.o(y.sum([1], True).view([x.size(0), 1, 8, 8]))"),
        must_stay("batch_norm_without_parameters_then_sum",
                  "y = torch.batch_norm(self.a(x), None, None, torch.ones([8], dtype=x.dtype), "
                  "torch.ones([8], dtype=x.dtype), False, 0.1, 1e-5, False)\n"
                  "return self.o(y.sum([1], True))"),
        // A layer that mixes tokens adds its bias to every channel, to those of zeros too.
        {"token_mixer_then_sum",
         kTokens,
         {linear("e", 12, 8), linear("m", 6, 6), linear("o", 6, 4)},
         "return self.o(self.m(self.e(x).transpose(1, 2)).sum([1]))",
         {{"e.weight", {8, 12}}}},
        // Zero tokens become the bias of a norm over their channels.
        {"layer_norm_of_mixed_tokens_then_sum",
         kTokens,
         {linear("m", 6, 8), layer_norm("n", {12}), linear("o", 12, 4)},
         "return self.o(self.n(self.m(x.transpose(1, 2)).transpose(1, 2)).sum([1]))",
         {{"m.weight", {8, 6}}}},
        {"batch_norm_of_tokens_then_sum",
         kTokens,
         {linear("e", 12, 8), batch_norm("n", 6), linear("o", 6, 4)},
         "return self.o(self.n(self.e(x)).sum([2]))",
         {{"e.weight", {8, 12}}}},
        // A mean that does more than normalise the channels it was taken of.
        must_stay(
            "mean_that_others_read",
            "y = self.a(x)\nm = y.mean([1], True)\nreturn self.o(m + (y - m).sum([2, 3], True).sum([1], "
            "True))"),
        must_stay("norm_by_the_mean_of_others",
                  "y = self.a(x)\nreturn self.o(y / ((y * y + 1.0).mean([1], True) + 1.0))", 8),
        must_stay("mean_subtracted_from_others",
                  "return self.o(x.sum([1], True) - self.a(x).mean([1], True))"),
        must_stay("mean_of_squares", "y = self.a(x)\nreturn self.o((y * y).mean([1], True))"),
        {"shared_conv_of_channels_then_sum",
         kImage,
         {conv("a", 3, 8), conv("b", 1, 1, 3), conv("o", 1, 4)},
         "y = self.a(x)\nz = self.b(y.view([-1, 1, 8, 8])).view_as(y)\nreturn self.o(z.sum([1], True))",
         {{"a.weight", {8, 3, 1, 1}}}},
        {"outer_gate_then_sum",
         {{{2, 12}}},
         {linear("e", 12, 8), linear("g", 12, 6), linear("o", 8, 4)},
         "y = self.e(x).unsqueeze(2) * torch.sigmoid(self.g(x)).unsqueeze(1)\nreturn self.o(y.sum([2]))",
         {{"e.weight", {4, 12}}, {"g.weight", {6, 12}}}},
        {"attention_over_positive_features",
         kTokens,
         {linear("q", 12, 8), linear("k", 12, 8), linear("o", 6, 4)},
         "q, k = torch.exp(self.q(x)), torch.exp(self.k(x))\n"
         "return self.o(torch.matmul(q, k.transpose(1, 2)))",
         {{"q.weight", {8, 12}}, {"k.weight", {8, 12}}}},
        // Here one of the two factors is zero: they may leave.
        {"attention_with_one_positive_side",
         kTokens,
         {linear("q", 12, 8), linear("k", 12, 8), linear("o", 6, 4)},
         "q, k = self.q(x), torch.exp(self.k(x))\nreturn self.o(torch.matmul(q, k.transpose(1, 2)))",
         {{"q.weight", {4, 12}}, {"k.weight", {4, 12}}}},
        {"sum_of_rectified_normalised",
         kImage,
         {conv("a", 3, 8), batch_norm("n", 8), conv("o", 1, 4)},
         "return self.o(torch.relu(self.n(self.a(x))).sum([1], True))",
         {{"a.weight", {4, 3, 1, 1}}}},
    };
}

}  // namespace mtlprune::toy
