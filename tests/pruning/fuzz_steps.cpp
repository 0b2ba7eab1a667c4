// Steps that join, split, move and mix channels.
#include "tests/pruning/fuzz_generator.h"

namespace mtlprune::toy {
void Generator::add_activation() {
    const auto in = any();
    static constexpr const char* kForms[] = {
        "torch.relu({})",
        "torch.sigmoid({})",
        "torch.tanh({})",
        "torch.gelu({})",
        "torch.hardswish({})",
        "torch.max_pool2d({}, [3, 3], [1, 1], [1, 1])",
        "torch.avg_pool2d({}, [3, 3], [1, 1], [1, 1])",
        "torch.upsample_nearest2d({0}, [{0}.size(2) * 2, {0}.size(3) * 2])[:, :, ::2, 1::2]",
        "torch.flip({}, [1])",
        "torch.flip({}, [2])",
        "torch.roll({}, [1], [3])",
        "torch.upsample_nearest2d({0}.unfold(2, 2, 1).mean([4]), [{0}.size(2), {0}.size(3)])",
        "torch.reflection_pad2d({}, [1, 1, 1, 1])[:, :, 1:5, 1:5]",
        "torch.reflection_pad2d({}, [1, 1, 1, 1])[:, :, 1:-1, 1:-1]",
        "torch.cumsum({}, 3)",
        "({0} - {0}.mean([2, 3], True)) * torch.rsqrt({0}.var([2, 3], False, True) + 0.1)",
        "torch.index_copy({0}, 3, torch.arange(2).flip([0]), {0}[:, :, :, 1:3])",
        "torch.masked_scatter({0}, ({0}.sum([1], True) > 0).expand_as({0}), {0} * 0.5)",
        "({} * 0.5 + 1.0)",
        "torch.clamp({}, -1.0, 1.0)",
        "torch.clamp_min({}, -0.2)",
        "torch.gather({0}, 2, torch.argsort({0}, 2))",
        "torch.scatter({0}, 3, torch.argsort({0}, 3), {0} * 0.5)",
        "torch.index_add({0}, 2, torch.arange(2), {0}[:, :, 1:3])",
        "torch.take_along_dim({0}, torch.argmax({0}, 3, True), 3).expand_as({0})",
        "torch.col2im(torch.im2col({0}, [3, 3], [1, 1], [1, 1], [1, 1]), [{0}.size(2), {0}.size(3)], "
        "[3, 3], [1, 1], [1, 1], [1, 1])",
        "torch.fft_irfft2(torch.fft_rfft2({}))",
        "torch.leaky_relu({}, 0.1)",
        "torch.abs({})",
        "torch.where({0} > 0, {0}, {0} * 0.3)",
        "torch.masked_fill({0}, {0} > 0.8, 0.8)"};
    const auto* form = kForms[below(std::size(kForms))];
    result(in.channels, fmt::format(fmt::runtime(form), in.name));
}

void Generator::add_scale() {
    const auto in = any();
    const Shape shape = chance(50) ? Shape{in.channels, 1, 1} : Shape{1, in.channels, 1, 1};
    const auto name = add_tensor(chance(50) ? parameter(fresh("s"), shape) : buffer(fresh("b"), shape));
    const char* op = chance(70) ? "*" : "+";
    result(in.channels, fmt::format("{} {} self.{}", in.name, op, name));
}

void Generator::add_binary() {
    const auto a = any();
    std::vector<Feature> fits;
    for (const auto& feature : features_)
        if (feature.channels == a.channels && feature.name != a.name) fits.push_back(feature);
    Feature b = a;
    if (!fits.empty()) {
        b = fits[below(static_cast<int64_t>(fits.size()))];
    } else {
        const auto layer = add(conv(fresh("c"), 3, a.channels));
        result(a.channels, fmt::format("self.{}(x)", layer));
        b = features_.back();
    }
    static constexpr const char* kForms[] = {"{} + {}",
                                             "{} - {}",
                                             "{} * {}",
                                             "torch.maximum({}, {})",
                                             "torch.stack([{}, {}], 1).sum([1])",
                                             "torch.amax(torch.stack([{}, {}], 0), [0])"};
    const auto* form = kForms[below(std::size(kForms))];
    result(a.channels, fmt::format(fmt::runtime(form), a.name, b.name));
}

void Generator::add_concatenation() {
    const auto a = any(), b = any();
    if (a.channels + b.channels <= kMostChannels)
        result(a.channels + b.channels, fmt::format("torch.cat([{}, {}], 1)", a.name, b.name));
}

void Generator::add_unpooling() {
    const auto in = any();
    const auto &v = in.name, p = fresh("p"), i = fresh("i"), h = size(v, 2), w = size(v, 3);
    // Equal values would be told apart by their rounding.
    line(fmt::format(
        "{0}, {1} = torch.max_pool2d_with_indices({2} + 0.01 * torch.arange({3} * {4}).view([{3}, "
        "{4}]).to({2}.dtype), [2, 2], [2, 2])",
        p, i, v, h, w));
    auto values = p;
    if (chance(50)) {
        const auto layer = add(conv(fresh("c"), in.channels, in.channels));
        values = fmt::format("torch.relu(self.{}({}))", layer, p);
    }
    result(in.channels, fmt::format("torch.max_unpool2d({}, {}, [{}, {}])", values, i, h, w));
}

void Generator::add_sampling() {
    const auto in = any();
    const int64_t heads = in.channels % 2 == 0 ? 1 + below(2) : 1;
    const auto layer = add(conv(fresh("c"), in.channels, 2 * heads));
    const auto &v = in.name, b = size(v, 0), h = size(v, 2), w = size(v, 3), grid = fresh("g");
    line(fmt::format("{} = torch.tanh(self.{}({})).reshape([{} * {}, 2, {}, {}]).permute([0, 2, 3, 1])", grid,
                     layer, v, b, heads, h, w));
    const auto values = heads == 1 ? v : fmt::format("{}.reshape([{} * {}, -1, {}, {}])", v, b, heads, h, w);
    const auto sampled = fmt::format("torch.grid_sampler({}, {}, 0, {}, False)", values, grid, below(2));
    result(in.channels, heads == 1 ? sampled : as_image(sampled, v));
}

void Generator::add_rounding() {
    const auto in = any();
    if (chance(50))
        return result(
            in.channels,
            fmt::format("torch.fake_quantize_per_tensor_affine({}, 0.05, {}, -128, 127)", in.name, below(4)));
    const int64_t out = width();
    const auto w = add_tensor(parameter(fresh("w"), {out, in.channels, 1, 1})),
               s = add_tensor(buffer(fresh("b"), {out})), z = fresh("z");
    line(fmt::format("{} = (torch.abs(self.{}) * 0.01 + 0.01).to(6)", z, s));
    result(out, fmt::format("torch.conv2d({0}, torch.fake_quantize_per_channel_affine(self.{1}, {2}, "
                            "torch.zeros_like({2}).to(3), 0, -128, 127))",
                            in.name, w, z));
}

void Generator::add_positions() {
    const auto in = any();
    static constexpr const char* kForms[] = {
        "{0} + torch.sin(torch.arange({0}.size(1)).to({0}.dtype) * 0.3).view([-1, 1, 1])",
        "{0} * torch.linspace(0.5, 1.5, {0}.size(1), dtype={0}.dtype).unsqueeze(-1).unsqueeze(-1)",
        "{0} + torch.arange({0}.size(3)).to({0}.dtype) * 0.1",
        "torch.einsum('bchw,cd->bdhw', [{0}, torch.eye({0}.size(1), dtype={0}.dtype)])",
        "torch.matmul({0}, torch.tril(torch.ones([{0}.size(3), {0}.size(3)], dtype={0}.dtype)))",
        "{0} * torch.full([{0}.size(1), 1, 1], 0.5, dtype={0}.dtype)"};
    const auto* form = kForms[below(std::size(kForms))];
    result(in.channels, fmt::format(fmt::runtime(form), in.name));
}

void Generator::add_split() {
    const auto in = any();
    if (in.channels % 2 != 0) return;
    const auto p = fresh("p"), q = fresh("q");
    line(fmt::format("{}, {} = torch.chunk({}, 2, 1)", p, q, in.name));
    switch (below(4)) {
        case 0:
            return result(in.channels, fmt::format("torch.cat([{}, {}], 1)", q, p));
        case 1:
            return result(in.channels / 2, fmt::format("{} * {}", p, q));
        case 2:
            return result(in.channels / 2, q);
        default:
            return result(in.channels / 2, fmt::format("torch.glu({}, 1)", in.name));
    }
}

void Generator::add_shuffle() {
    const auto in = any();
    const int64_t groups = divisor(in.channels);
    const auto& v = in.name;
    if (in.channels % 4 == 0 && chance(30))
        return result(in.channels / 4,
                      fmt::format("torch.avg_pool2d(torch.pixel_shuffle({}, 2), [2, 2])", v));
    if (in.channels * 4 <= kMostChannels && chance(30))
        return result(in.channels * 4,
                      fmt::format("torch.pixel_unshuffle(torch.upsample_nearest2d({0}, [{0}.size(2) * 2, "
                                  "{0}.size(3) * 2]), 2)",
                                  v));
    if (in.channels * 2 <= kMostChannels && chance(30))
        return result(in.channels * 2, fmt::format("{}.repeat([1, 2, 1, 1])", v));
    const auto folded = fmt::format("{0}.view([{1}, {2}, {0}.size(1) // {2}, {3}, {4}]).transpose(1, 2)", v,
                                    size(v, 0), groups, size(v, 2), size(v, 3));
    result(in.channels, as_image(folded, v));
}

void Generator::add_gate() {
    const auto in = any();
    const auto s = add(linear(fresh("l"), in.channels, 4)), t = add(linear(fresh("l"), 4, in.channels));
    const auto gate = fresh("g");
    line(fmt::format("{} = torch.sigmoid(self.{}(torch.relu(self.{}({}.mean([2, 3])))))", gate, t, s,
                     in.name));
    result(in.channels, fmt::format("{} * {}.unsqueeze(-1).unsqueeze(-1)", in.name, gate));
}

void Generator::add_spatial_attention() {
    const auto in = any();
    const auto layer = add(conv(fresh("c"), in.channels, 1));
    result(in.channels, fmt::format("{0} * torch.sigmoid(self.{1}({0}))", in.name, layer));
}

void Generator::add_linear() {
    const auto in = any();
    const int64_t out = width();
    const auto layer = add(linear(fresh("l"), in.channels, out));
    result(out, fmt::format("self.{}({}.permute([0, 2, 3, 1])).permute([0, 3, 1, 2])", layer, in.name));
}

void Generator::add_attention() {
    const auto in = any();
    const int64_t heads = 1 + below(2), inner = heads * 2 * (1 + below(4)), out = heads * (1 + below(6));
    const auto q = add(linear(fresh("l"), in.channels, inner)),
               k = add(linear(fresh("l"), in.channels, inner)), v = add(linear(fresh("l"), in.channels, out));
    const auto tokens = fresh("t");
    line(fmt::format("{} = {}.flatten(2).transpose(1, 2)", tokens, in.name));
    const auto split = [&](const std::string& layer) {
        return fmt::format("self.{0}({1}).view([{2}, {3}, {4}, -1]).transpose(1, 2)", layer, tokens,
                           size(tokens, 0), computes_sizes_ ? tokens + ".size(1)" : "16", heads);
    };
    line(fmt::format("{0}q, {0}k, {0}v = {1}, {2}, {3}", tokens, split(q), split(k), split(v)));
    if (chance(25))
        return result(
            out, as_image(fmt::format("torch.matmul({0}q, torch.matmul(torch.softmax({0}k, 2).transpose(-2, "
                                      "-1), {0}v)).transpose(2, 3)",
                                      tokens),
                          in.name));
    line(chance(50) ? fmt::format("{0}s = torch.matmul({0}q, {0}k.transpose(-2, -1))", tokens)
                    : fmt::format("{0}s = torch.einsum('bhnd,bhmd->bhnm', [{0}q, {0}k])", tokens));
    result(out, as_image(fmt::format("torch.matmul(torch.softmax({0}s, -1), {0}v).transpose(2, 3)", tokens),
                         in.name));
}

void Generator::add_recurrence() {
    const auto in = any();
    const int64_t hidden = 1 + below(6);
    const bool both = chance(30);
    const auto name = fresh("r");
    const bool has_cell = chance(50);
    const auto layer =
        add(has_cell ? lstm(name, in.channels, hidden, 1, both) : gru(name, in.channels, hidden, 1, both));
    result(hidden * (both ? 2 : 1),
           as_image(fmt::format("self.{}({}.flatten(2).transpose(1, 2)).transpose(1, 2)", layer, in.name),
                    in.name));
}

void Generator::add_weight_expression() {
    const auto in = any();
    const int64_t out = width();
    const auto w = add_tensor(parameter(fresh("w"), {out, in.channels, 1, 1})),
               s = add_tensor(parameter(fresh("s"), {out, 1, 1, 1}));
    if (chance(30)) return result(out, fmt::format("torch.conv2d({}, self.{} * self.{})", in.name, w, s));
    if (chance(30))
        return result(out, fmt::format("torch.conv2d({}, self.{}, None, [1, 1], 'same')", in.name, w));
    result(out,
           fmt::format("torch.einsum('bchw,dc->bdhw', [{}, self.{}.squeeze(-1).squeeze(-1)])", in.name, w));
}

void Generator::add_barrier() {
    const auto in = any();
    static constexpr const char* kForms[] = {
        "torch.relu({0} - {0}.mean([1], True))",  // else part of a norm that follows: norm_in_two_steps
        "torch.softmax({}, 1)",
        "torch.cumsum({}, 1)",
        "{0} - torch.amax({0}, [1], True)",
        "{0} + {0}.sum([1], True)",
        "{0} + torch.roll({0}, [1], [1])",
        "{0} / (torch.sqrt(({0} * {0}).sum([1], True)) + 1.0)",
        "torch.sort({}, 1)[0]",
        "torch.gather({0}, 1, torch.argsort({0}, 1))",
        "torch.tril({0}.permute([0, 2, 3, 1])).permute([0, 3, 1, 2])",
        "{0} / (torch.norm({0}) + 1.0)",
        "{0} * torch.linalg_vector_norm({0}, -1.0, [1], True)",
        "torch.clamp_min({0}, 0.5) * torch.clamp_min({0}, 0.5).sum([1], True)",
        "torch.bmm(torch.bmm({0}.flatten(2), {0}.flatten(2).transpose(1, 2)), "
        "{0}.flatten(2)).view_as({0})"};
    const auto* form = kForms[below(std::size(kForms))];
    result(in.channels, fmt::format(fmt::runtime(form), in.name));
}

void Generator::add_literal() {
    const auto in = any();
    if (!literals_ || in.channels < 4) return;
    const int64_t cut = 1 + below(in.channels - 1);
    const auto& v = in.name;
    switch (below(4)) {
        case 0:
            return result(in.channels, fmt::format("torch.cat([{0}[:, {1}:], {0}[:, :{1}]], 1)", v, cut));
        case 1:
            return result(in.channels, fmt::format("torch.cat([{0}[:, ::2], {0}[:, 1::2]], 1)", v));
        case 2:
            return result(in.channels, fmt::format("torch.relu({}.reshape([2 * {}, 16])).view([2, {}, 4, 4])",
                                                   v, in.channels, in.channels));
        default:
            return result(cut, fmt::format("torch.narrow({}, 1, {}, {})", v, in.channels - cut, cut));
    }
}

}  // namespace mtlprune::toy
