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
        "torch.upsample_nearest2d({}, [8, 8])[:, :, ::2, 1::2]",
        "torch.flip({}, [1])",
        "torch.flip({}, [2])",
        "torch.roll({}, [1], [3])",
        "torch.upsample_nearest2d({}.unfold(2, 2, 1).mean([4]), [4, 4])",
        "torch.reflection_pad2d({}, [1, 1, 1, 1])[:, :, 1:5, 1:5]",
        "({} * 0.5 + 1.0)",
        "torch.clamp({}, -1.0, 1.0)",
        "torch.clamp_min({}, -0.2)",
        "torch.gather({0}, 2, torch.argsort({0}, 2))",
        "torch.scatter({0}, 3, torch.argsort({0}, 3), {0} * 0.5)",
        "torch.index_add({0}, 2, torch.arange(2), {0}[:, :, 1:3])",
        "torch.take_along_dim({0}, torch.argmax({0}, 3, True), 3).expand_as({0})",
        "torch.col2im(torch.im2col({}, [3, 3], [1, 1], [1, 1], [1, 1]), [4, 4], "
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
                      fmt::format("torch.pixel_unshuffle(torch.upsample_nearest2d({}, [8, 8]), 2)", v));
    if (in.channels * 2 <= kMostChannels && chance(30))
        return result(in.channels * 2, fmt::format("{}.repeat([1, 2, 1, 1])", v));
    result(in.channels,
           fmt::format("{0}.view([2, {1}, {0}.size(1) // {1}, 4, 4]).transpose(1, 2).reshape([2, -1, 4, 4])",
                       v, groups));
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
        return fmt::format("self.{}({}).view([2, 16, {}, -1]).transpose(1, 2)", layer, tokens, heads);
    };
    line(fmt::format("{0}q, {0}k, {0}v = {1}, {2}, {3}", tokens, split(q), split(k), split(v)));
    if (chance(25))
        return result(out,
                      fmt::format("torch.matmul({0}q, torch.matmul(torch.softmax({0}k, 2).transpose(-2, -1), "
                                  "{0}v)).transpose(2, 3).reshape([2, -1, 4, 4])",
                                  tokens));
    line(chance(50) ? fmt::format("{0}s = torch.matmul({0}q, {0}k.transpose(-2, -1))", tokens)
                    : fmt::format("{0}s = torch.einsum('bhnd,bhmd->bhnm', [{0}q, {0}k])", tokens));
    result(out,
           fmt::format("torch.matmul(torch.softmax({0}s, -1), {0}v).transpose(2, 3).reshape([2, -1, 4, 4])",
                       tokens));
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
           fmt::format("self.{}({}.flatten(2).transpose(1, 2)).transpose(1, 2).reshape([2, -1, 4, 4])", layer,
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
        "{0} - {0}.mean([1], True)",
        "torch.softmax({}, 1)",
        "torch.cumsum({}, 1)",
        "{0} - torch.amax({0}, [1], True)",
        "{0} + {0}.sum([1], True)",
        "{0} + torch.roll({0}, [1], [1])",
        "{0} / (torch.sqrt(({0} * {0}).sum([1], True)) + 1.0)",
        "torch.sort({}, 1)[0]",
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
