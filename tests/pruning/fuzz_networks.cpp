#include "tests/pruning/fuzz_networks.h"

#include <fmt/format.h>

namespace mtlprune::toy {
namespace {

constexpr int64_t kMostChannels = 24;

/// An image of 4 x 4 with this many channels.
struct Feature {
    std::string name;
    int64_t channels;
};

class Generator {
  public:
    explicit Generator(uint64_t seed) : random_(seed * 7919 + 17), literals_(seed % 3 == 0) {
        network_.name = fmt::format("fuzz_{}", seed);
        network_.inputs = {{{2, 3, 4, 4}}};
        network_.has_literals = literals_;
        features_.push_back({"x", 3});
        add_convolution();
    }

    SourceNetwork network() {
        const size_t operators = 3 + below(10);
        for (size_t i = 0; i < operators; ++i) step();
        finish();
        return network_;
    }

  private:
    int64_t below(int64_t n) { return static_cast<int64_t>(random_.below(n)); }
    bool chance(int64_t percent) { return below(100) < percent; }

    /// Recent features are used more often, so that networks grow deep.
    const Feature& any() {
        const auto count = static_cast<int64_t>(features_.size());
        return features_[chance(60) ? count - 1 : below(count)];
    }

    std::string fresh(const char* prefix) { return fmt::format("{}{}", prefix, ++names_); }

    void line(const std::string& text) { network_.body += text + "\n"; }

    void result(int64_t channels, const std::string& expression) {
        const auto name = fresh("v");
        line(name + " = " + expression);
        features_.push_back({name, channels});
    }

    std::string add(Layer layer) {
        network_.layers.push_back(std::move(layer));
        return network_.layers.back().name;
    }

    std::string add_tensor(Layer layer) {
        network_.layers.push_back(std::move(layer));
        return network_.layers.back().tensors.front().name;
    }

    int64_t width() { return 2 * (1 + below(kMostChannels / 2)); }

    int64_t divisor(int64_t n) {
        std::vector<int64_t> divisors;
        for (int64_t d = 2; d < n; ++d)
            if (n % d == 0) divisors.push_back(d);
        return divisors.empty() ? 1 : divisors[below(static_cast<int64_t>(divisors.size()))];
    }

    void add_convolution() {
        const auto in = any();
        const int64_t out = width(), kernel = chance(50) ? 3 : 1;
        const auto layer = add(conv(fresh("c"), in.channels, out, kernel));
        result(out, fmt::format("self.{}({})", layer, in.name));
    }

    void add_grouped() {
        const auto in = any();
        const int64_t groups = divisor(in.channels);
        const int64_t out = groups * (1 + below(kMostChannels / groups));
        const bool transposed = chance(30);
        const auto name = fresh("c");
        const auto layer = add(transposed ? transposed_conv(name, in.channels, out, 1, groups)
                                          : conv(name, in.channels, out, 3, groups));
        result(out, fmt::format("self.{}({})", layer, in.name));
    }

    void add_depthwise() {
        const auto in = any();
        const int64_t out = in.channels * (chance(30) && in.channels * 2 <= kMostChannels ? 2 : 1);
        const auto layer = add(conv(fresh("d"), in.channels, out, 3, in.channels));
        result(out, fmt::format("self.{}({})", layer, in.name));
    }

    /// The same weights again, on another feature of the same width.
    void repeat_layer() {
        for (const auto& layer : network_.layers) {
            if (layer.name.empty() || layer.name[0] != 'c' || layer.body.find("conv2d") == std::string::npos)
                continue;
            for (const auto& in : features_) {
                const auto& weight = layer.tensors[0].shape;
                if (!layer.body.ends_with(", 1)") || weight[1] != in.channels || !chance(50)) continue;
                return result(weight[0], fmt::format("self.{}({})", layer.name, in.name));
            }
        }
    }

    void add_norm() {
        const auto in = any();
        const auto name = fresh("n");
        const int64_t groups = divisor(in.channels);
        const int64_t kind = below(6);
        if (kind == 5) {
            add(layer_norm(name, {in.channels}));
            return result(in.channels, fmt::format("self.{}({}.permute([0, 2, 3, 1])).permute([0, 3, 1, 2])",
                                                   name, in.name));
        }
        add(kind < 2    ? batch_norm(name, in.channels)
            : kind == 2 ? instance_norm(name, in.channels, chance(50))
            : kind == 3 ? prelu(name, in.channels)
                        : group_norm(name, in.channels, groups));
        result(in.channels, fmt::format("self.{}({})", name, in.name));
    }

    void add_activation() {
        const auto in = any();
        static constexpr const char* kForms[] = {"torch.relu({})",
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
                                                 "torch.reflection_pad2d({}, [1, 1, 1, 1])[:, :, 1:5, 1:5]",
                                                 "({} * 0.5 + 1.0)",
                                                 "torch.clamp({}, -1.0, 1.0)",
                                                 "torch.leaky_relu({}, 0.1)",
                                                 "torch.abs({})",
                                                 "torch.where({0} > 0, {0}, {0} * 0.3)",
                                                 "torch.masked_fill({0}, {0} > 0.8, 0.8)"};
        const auto* form = kForms[below(std::size(kForms))];
        result(in.channels, fmt::format(fmt::runtime(form), in.name));
    }

    void add_scale() {
        const auto in = any();
        const Shape shape = chance(50) ? Shape{in.channels, 1, 1} : Shape{1, in.channels, 1, 1};
        const auto name = add_tensor(chance(50) ? parameter(fresh("s"), shape) : buffer(fresh("b"), shape));
        const char* op = chance(70) ? "*" : "+";
        result(in.channels, fmt::format("{} {} self.{}", in.name, op, name));
    }

    /// Two features of equal width, one of them made by a convolution when there is none.
    void add_binary() {
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

    void add_concatenation() {
        const auto a = any(), b = any();
        if (a.channels + b.channels <= kMostChannels)
            result(a.channels + b.channels, fmt::format("torch.cat([{}, {}], 1)", a.name, b.name));
    }

    void add_split() {
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

    void add_shuffle() {
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
        result(
            in.channels,
            fmt::format("{0}.view([2, {1}, {0}.size(1) // {1}, 4, 4]).transpose(1, 2).reshape([2, -1, 4, 4])",
                        v, groups));
    }

    void add_gate() {
        const auto in = any();
        const auto s = add(linear(fresh("l"), in.channels, 4)), t = add(linear(fresh("l"), 4, in.channels));
        const auto gate = fresh("g");
        line(fmt::format("{} = torch.sigmoid(self.{}(torch.relu(self.{}({}.mean([2, 3])))))", gate, t, s,
                         in.name));
        result(in.channels, fmt::format("{} * {}.unsqueeze(-1).unsqueeze(-1)", in.name, gate));
    }

    void add_spatial_attention() {
        const auto in = any();
        const auto layer = add(conv(fresh("c"), in.channels, 1));
        result(in.channels, fmt::format("{0} * torch.sigmoid(self.{1}({0}))", in.name, layer));
    }

    void add_linear() {
        const auto in = any();
        const int64_t out = width();
        const auto layer = add(linear(fresh("l"), in.channels, out));
        result(out, fmt::format("self.{}({}.permute([0, 2, 3, 1])).permute([0, 3, 1, 2])", layer, in.name));
    }

    /// Over the 16 pixels as tokens, 1 or 2 heads.
    void add_attention() {
        const auto in = any();
        const int64_t heads = 1 + below(2), inner = heads * 2 * (1 + below(4)), out = heads * (1 + below(6));
        const auto q = add(linear(fresh("l"), in.channels, inner)),
                   k = add(linear(fresh("l"), in.channels, inner)),
                   v = add(linear(fresh("l"), in.channels, out));
        const auto tokens = fresh("t");
        line(fmt::format("{} = {}.flatten(2).transpose(1, 2)", tokens, in.name));
        const auto split = [&](const std::string& layer) {
            return fmt::format("self.{}({}).view([2, 16, {}, -1]).transpose(1, 2)", layer, tokens, heads);
        };
        line(fmt::format("{0}q, {0}k, {0}v = {1}, {2}, {3}", tokens, split(q), split(k), split(v)));
        line(chance(50) ? fmt::format("{0}s = torch.matmul({0}q, {0}k.transpose(-2, -1))", tokens)
                        : fmt::format("{0}s = torch.einsum('bhnd,bhmd->bhnm', [{0}q, {0}k])", tokens));
        result(out, fmt::format(
                        "torch.matmul(torch.softmax({0}s, -1), {0}v).transpose(2, 3).reshape([2, -1, 4, 4])",
                        tokens));
    }

    void add_recurrence() {
        const auto in = any();
        const int64_t hidden = 1 + below(6);
        const bool both = chance(30);
        const auto name = fresh("r");
        const bool has_cell = chance(50);
        const auto layer = add(has_cell ? lstm(name, in.channels, hidden, 1, both)
                                        : gru(name, in.channels, hidden, 1, both));
        result(hidden * (both ? 2 : 1),
               fmt::format("self.{}({}.flatten(2).transpose(1, 2)).transpose(1, 2).reshape([2, -1, 4, 4])",
                           layer, in.name));
    }

    void add_weight_expression() {
        const auto in = any();
        const int64_t out = width();
        const auto w = add_tensor(parameter(fresh("w"), {out, in.channels, 1, 1})),
                   s = add_tensor(parameter(fresh("s"), {out, 1, 1, 1}));
        if (chance(50)) return result(out, fmt::format("torch.conv2d({}, self.{} * self.{})", in.name, w, s));
        result(out, fmt::format("torch.einsum('bchw,dc->bdhw', [{}, self.{}.squeeze(-1).squeeze(-1)])",
                                in.name, w));
    }

    /// Every channel decides the result: nothing may leave, unless the engine knows better.
    void add_barrier() {
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

    void add_literal() {
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
                return result(in.channels,
                              fmt::format("torch.relu({}.reshape([2 * {}, 16])).view([2, {}, 4, 4])", v,
                                          in.channels, in.channels));
            default:
                return result(cut, fmt::format("torch.narrow({}, 1, {}, {})", v, in.channels - cut, cut));
        }
    }

    void step() {
        using Step = void (Generator::*)();
        struct Choice {
            Step step;
            int64_t weight;
        };
        static constexpr Choice kChoices[] = {{&Generator::add_convolution, 20},
                                              {&Generator::add_grouped, 8},
                                              {&Generator::add_depthwise, 8},
                                              {&Generator::repeat_layer, 5},
                                              {&Generator::add_norm, 14},
                                              {&Generator::add_activation, 20},
                                              {&Generator::add_scale, 6},
                                              {&Generator::add_binary, 12},
                                              {&Generator::add_concatenation, 10},
                                              {&Generator::add_split, 8},
                                              {&Generator::add_shuffle, 8},
                                              {&Generator::add_gate, 4},
                                              {&Generator::add_spatial_attention, 3},
                                              {&Generator::add_linear, 5},
                                              {&Generator::add_attention, 5},
                                              {&Generator::add_recurrence, 2},
                                              {&Generator::add_weight_expression, 4},
                                              {&Generator::add_barrier, 3},
                                              {&Generator::add_literal, 6}};
        int64_t total = 0;
        for (const auto& choice : kChoices) total += choice.weight;
        int64_t drawn = below(total);
        for (const auto& choice : kChoices) {
            drawn -= choice.weight;
            if (drawn < 0) return (this->*choice.step)();
        }
    }

    void finish() {
        const auto last = features_.back();
        switch (below(3)) {
            case 0:
                add(conv("o", last.channels, 3));
                line("out = self.o(" + last.name + ")");
                break;
            case 1:
                add(linear("o", last.channels, 3));
                line("out = self.o(" + last.name + ".mean([2, 3]))");
                break;
            default:
                add(linear("o", last.channels * 16, 3));
                line("out = self.o(" + last.name + ".flatten(1))");
        }
        const auto other = any();
        line(chance(15) ? "return out, " + other.name : "return out");
    }

    Random random_;
    bool literals_;
    int names_ = 0;
    std::vector<Feature> features_;
    SourceNetwork network_;
};

}  // namespace

SourceNetwork random_network(uint64_t seed) {
    return Generator(seed).network();
}

}  // namespace mtlprune::toy
