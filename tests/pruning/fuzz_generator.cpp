#include "tests/pruning/fuzz_generator.h"

namespace mtlprune::toy {
SourceNetwork Generator::network() {
    const size_t operators = 3 + below(10);
    for (size_t i = 0; i < operators; ++i) step();
    finish();
    return network_;
}

std::string Generator::add(Layer layer) {
    network_.layers.push_back(std::move(layer));
    return network_.layers.back().name;
}

std::string Generator::add_tensor(Layer layer) {
    network_.layers.push_back(std::move(layer));
    return network_.layers.back().tensors.front().name;
}

int64_t Generator::width() {
    return 2 * (1 + below(kMostChannels / 2));
}

int64_t Generator::divisor(int64_t n) {
    std::vector<int64_t> divisors;
    for (int64_t d = 2; d < n; ++d)
        if (n % d == 0) divisors.push_back(d);
    return divisors.empty() ? 1 : divisors[below(static_cast<int64_t>(divisors.size()))];
}

std::string Generator::size(const std::string& feature, int dim) {
    if (computes_sizes_) return fmt::format("{}.size({})", feature, dim);
    return dim == 0 ? "2" : "4";
}

std::string Generator::as_image(const std::string& rows, const std::string& like) {
    return fmt::format("{}.reshape([{}, -1, {}, {}])", rows, size(like, 0), size(like, 2), size(like, 3));
}

void Generator::add_convolution() {
    const auto in = any();
    const int64_t out = width(), kernel = chance(50) ? 3 : 1;
    const auto layer = add(chance(85) ? conv(fresh("c"), in.channels, out, kernel)
                                      : standardised_conv(fresh("w"), in.channels, out, kernel, chance(50)));
    result(out, fmt::format("self.{}({})", layer, in.name));
}

void Generator::add_grouped() {
    const auto in = any();
    const int64_t groups = divisor(in.channels);
    const int64_t out = groups * (1 + below(kMostChannels / groups));
    const bool transposed = chance(30);
    const auto name = fresh("c");
    const auto layer = add(transposed ? transposed_conv(name, in.channels, out, 1, groups)
                                      : conv(name, in.channels, out, 3, groups));
    result(out, fmt::format("self.{}({})", layer, in.name));
}

void Generator::add_depthwise() {
    const auto in = any();
    const int64_t out = in.channels * (chance(30) && in.channels * 2 <= kMostChannels ? 2 : 1);
    const auto layer = add(conv(fresh("d"), in.channels, out, 3, in.channels));
    result(out, fmt::format("self.{}({})", layer, in.name));
}

void Generator::repeat_layer() {
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

/// One channel alone has no unbiased variance.
const WrittenNorm& Generator::any_written_norm(int64_t channels) {
    const auto& forms = written_norms();
    const auto& form = forms[below(static_cast<int64_t>(forms.size()))];
    return form.correction > 0 && channels < 6 ? forms.front() : form;
}

void Generator::add_norm() {
    const auto in = any();
    const auto name = fresh("n");
    const int64_t groups = divisor(in.channels);
    const int64_t kind = below(8);
    if (kind > 6) {
        add(chance(50) ? layer_norm(name, {in.channels}) : rms_norm(name, in.channels));
        return result(in.channels,
                      fmt::format("self.{}({}.permute([0, 2, 3, 1])).permute([0, 3, 1, 2])", name, in.name));
    }
    add(kind < 2    ? batch_norm(name, in.channels)
        : kind == 2 ? instance_norm(name, in.channels, chance(50))
        : kind == 3 ? prelu(name, in.channels)
        : kind == 4 ? group_norm(name, in.channels, groups)
        : kind == 5 ? written_norm(name, in.channels, any_written_norm(in.channels))
                    : response_norm(name, in.channels));
    result(in.channels, fmt::format("self.{}({})", name, in.name));
}

void Generator::step() {
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
                                          {&Generator::add_unpooling, 4},
                                          {&Generator::add_sampling, 4},
                                          {&Generator::add_rounding, 4},
                                          {&Generator::add_positions, 5},
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

void Generator::finish() {
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

}  // namespace mtlprune::toy
