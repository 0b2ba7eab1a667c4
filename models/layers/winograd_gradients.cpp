#include "models/layers/winograd_gradients.h"

#include <torch/utils.h>

#include "models/layers/winograd_tiles.h"

namespace mtlprune::winograd {
namespace {

/// Tiles that are transformed together: more than for outputs, to read and write the sums less often.
constexpr int64_t kTilesPerSum = 96;

/// How the sums over tiles are shared out: `slices` of the tiles, whose partial sums are added in order,
/// times `parts` of the outputs. More of them serve more threads; slices take memory, and every part
/// transforms the inputs again. The numbers depend on shapes alone, and with them every bit.
struct Shares {
    int64_t parts, panels;  ///< panels of outputs per part
    int64_t slices, tiles;  ///< tiles per slice
    int64_t floats;         ///< of one slice's frequencies, [frequency][panel of outputs][input][32]

    static Shares of(const Map& in, const Map& out) {
        constexpr int64_t kShares = 16, kFewestPanels = 4, kFewestTiles = 64, kBudget = 48 << 20;
        const int64_t all = winograd::panels(out.channels);
        const int64_t parts = std::clamp<int64_t>(all / kFewestPanels, 1, kShares);
        const int64_t floats = kFrequencies * all * in.channels * kPanel;
        const int64_t most = std::min<int64_t>(in.tiles() / kFewestTiles, kBudget / (4 * floats));
        const int64_t slices = std::clamp<int64_t>(most, 1, kShares / parts);
        const int64_t per_part = (all + parts - 1) / parts;
        return {(all + per_part - 1) / per_part, per_part, slices, (in.tiles() + slices - 1) / slices,
                floats};
    }
};

/// Partial sums: the weight gradient's frequencies [slice][floats] and the bias gradient [slice][O].
struct GradientSums {
    Shares shares;
    torch::Tensor frequencies, bias;
};

/// Sums of `count` tiles of the block's channels from `begin` on, whose lines are in the cache already.
void add_bias_gradient(const float* gradients, const Map& out, int64_t begin, int64_t count, int64_t channels,
                       double* bias) {
    std::vector<float> sum(channels);
    for (int64_t tile = begin; tile < begin + count; ++tile)
        for (const int64_t position : out.positions<kOutputs>(tile))
            for (int64_t channel = 0; channel < (position < 0 ? 0 : channels); ++channel)
                sum[channel] += gradients[position + channel];
    for (int64_t channel = 0; channel < channels; ++channel) bias[channel] += sum[channel];
}

/// `sums`: of y's first panel; frequencies are `plane` apart.
void add_products(const Block& v, const Block& y, int64_t count, bool first, float* sums, int64_t plane) {
    for (int64_t k = 0; k < kFrequencies; ++k)
        for (int64_t panel = 0; panel < panels(y.channels); ++panel) {
            const int64_t columns = std::min(kPanel, y.channels - panel * kPanel);
            float* target = sums + k * plane + panel * v.channels * kPanel;
            for (int64_t from = 0; from < v.channels; from += kPanel)
                kernels().product({v.at(k, from / kPanel), 1, kPanel, count, 0, y.at(k, panel),
                                   target + from * kPanel, std::min(kPanel, v.channels - from), columns,
                                   count, !first});
        }
}

/// Both maps are channels-last.
GradientSums sum_gradients(const torch::Tensor& gradient, const torch::Tensor& x, int64_t dilation) {
    const Map in = Map::of(x, x.size(1), dilation), out = Map::of(x, gradient.size(1), dilation);
    const Shares shares = Shares::of(in, out);
    GradientSums sums = {shares, scratch(shares.slices * shares.floats),
                         at::zeros({shares.slices, out.channels}, torch::kDouble)};
    const float *inputs = x.data_ptr<float>(), *gradients = gradient.data_ptr<float>();
    if (in.tiles() == 0) sums.frequencies.zero_();
    float* frequencies = sums.frequencies.data_ptr<float>();
    double* bias = sums.bias.data_ptr<double>();
    const int64_t passes = std::max<int64_t>(1, (shares.tiles + kTilesPerSum / 2) / kTilesPerSum);
    const int64_t capacity = (shares.tiles + passes - 1) / passes;
    at::parallel_for(0, shares.slices * shares.parts, 1, [&](int64_t first, int64_t last) {
        Block v = {capacity, in.channels}, y = {capacity, std::min(out.channels, shares.panels * kPanel)};
        const auto memory = scratch(v.floats() + y.floats());
        v.data = memory.data_ptr<float>();
        y.data = v.data + v.floats();
        for (int64_t share = first; share < last; ++share) {
            const int64_t slice = share / shares.parts,
                          channel = share % shares.parts * shares.panels * kPanel;
            const int64_t start = slice * shares.tiles, end = std::min(in.tiles(), start + shares.tiles);
            y.channels = std::min(out.channels - channel, shares.panels * kPanel);
            float* target = frequencies + slice * shares.floats + channel * in.channels;
            for (int64_t begin = start; begin < end; begin += capacity) {
                const int64_t count = std::min(capacity, end - begin);
                transform_tiles<kInputs>(inputs, in, begin, count, v, kernels().data);
                transform_tiles<kOutputs>(gradients + channel, out, begin, count, y, kernels().gradient);
                add_products(v, y, count, begin == start, target, shares.floats / kFrequencies);
                add_bias_gradient(gradients + channel, out, begin, count, y.channels,
                                  bias + slice * out.channels + channel);
            }
        }
    });
    return sums;
}

constexpr int64_t kGroupPitch = pitch_of(kGroup);

/// The sum over slices of the frequencies of `floats` neighbouring values, kGroupPitch apart. Long pieces of
/// few planes at a time are what memory delivers fastest.
void add_slices(const float* from, int64_t plane, const Shares& shares, int64_t floats, float* sum) {
    for (int64_t k = 0; k < kFrequencies; ++k, sum += kGroupPitch) {
        std::copy_n(from + k * plane, floats, sum);
        for (int64_t slice = 1; slice < shares.slices; ++slice) {
            const float* values = from + slice * shares.floats + k * plane;
            for (int64_t i = 0; i < floats; ++i) sum[i] += values[i];
        }
    }
}

/// From the frequencies [frequency][input][32] of `count` (up to kGroup) inputs, the former `plane` apart, to
/// the gradients of weights [O,C,3,3].
void write_taps(const float* sums, int64_t plane, int64_t panel, int64_t input, int64_t count,
                torch::Tensor& weights) {
    float taps[kGroup][kTaps][kPanel];
    for (int64_t j = 0; j < count; ++j) kernels().weight_gradient(sums + j * kPanel, plane, taps[j][0]);
    const int64_t inputs = weights.size(1), columns = std::min(kPanel, weights.size(0) - panel * kPanel);
    float* to = weights.data_ptr<float>() + (panel * kPanel * inputs + input) * kTaps;
    for (int64_t lane = 0; lane < columns; ++lane, to += inputs * kTaps)
        for (int64_t j = 0; j < count; ++j)
            for (int64_t tap = 0; tap < kTaps; ++tap) to[j * kTaps + tap] = taps[j][tap][lane];
}

/// [slice][frequency][panel of outputs][input][32] -> [O,C,3,3].
torch::Tensor weight_gradient(const torch::Tensor& frequencies, const Shares& shares, int64_t outputs,
                              int64_t inputs) {
    auto result = at::empty({outputs, inputs, 3, 3}, torch::kFloat);
    const float* from = frequencies.data_ptr<float>();
    const int64_t groups = (inputs + kGroup - 1) / kGroup, plane = panels(outputs) * inputs * kPanel;
    at::parallel_for(0, panels(outputs) * groups, 1, [&](int64_t begin, int64_t end) {
        const auto memory = scratch(kFrequencies * kGroupPitch);
        float* sum = memory.data_ptr<float>();
        for (int64_t i = begin; i < end; ++i) {
            const int64_t panel = i / groups, input = i % groups * kGroup;
            const int64_t count = std::min(kGroup, inputs - input);
            add_slices(from + (panel * inputs + input) * kPanel, plane, shares, count * kPanel, sum);
            write_taps(sum, kGroupPitch, panel, input, count, result);
        }
    });
    return result;
}

/// Of weight and bias. The frequencies of the weights, larger than the maps', never leave the cache.
std::pair<torch::Tensor, torch::Tensor> gradients_by_panels(const torch::Tensor& gradient,
                                                            const torch::Tensor& x, int64_t dilation) {
    constexpr int64_t kPlane = pitch_of(kPanel);
    const Map in = Map::of(x, x.size(1), dilation), out = Map::of(x, gradient.size(1), dilation);
    const auto inputs = TransformedMap::of<kInputs>(x, in, kernels().data);
    const auto outputs = TransformedMap::of<kOutputs>(gradient, out, kernels().gradient);
    const Block &v = inputs.block, &y = outputs.block;
    auto weights = at::empty({out.channels, in.channels, 3, 3}, torch::kFloat);
    auto bias = at::zeros({out.channels}, torch::kDouble);
    const float* gradients = gradient.data_ptr<float>();
    double* of_bias = bias.data_ptr<double>();
    for_panels(out.channels, [&](int64_t first, int64_t last) {
        const auto memory = scratch((last - first) * kFrequencies * kPlane);
        const auto sums = [&](int64_t panel, int64_t k) {
            return memory.data_ptr<float>() + ((panel - first) * kFrequencies + k) * kPlane;
        };
        for (int64_t input = 0; input < in.channels; input += kPanel) {
            const int64_t rows = std::min(kPanel, in.channels - input);
            for (int64_t k = 0; k < kFrequencies; ++k)
                for (int64_t panel = first; panel < last; ++panel)
                    kernels().product({v.at(k, input / kPanel), 1, kPanel, v.capacity, 0, y.at(k, panel),
                                       sums(panel, k), rows, std::min(kPanel, out.channels - panel * kPanel),
                                       v.capacity, false});
            for (int64_t panel = first; panel < last; ++panel)
                for (int64_t j = 0; j < rows; j += kGroup)
                    write_taps(sums(panel, 0) + j * kPanel, kPlane, panel, input + j,
                               std::min(kGroup, rows - j), weights);
        }
        const int64_t channel = first * kPanel;
        add_bias_gradient(gradients + channel, out, 0, v.capacity,
                          std::min(last * kPanel, out.channels) - channel, of_bias + channel);
    });
    return {weights, bias.to(torch::kFloat)};
}

}  // namespace

std::pair<torch::Tensor, torch::Tensor> gradients_of_weights(const torch::Tensor& gradient,
                                                             const torch::Tensor& x, int64_t dilation) {
    const auto g = gradient.contiguous(torch::MemoryFormat::ChannelsLast);
    const auto source = x.contiguous(torch::MemoryFormat::ChannelsLast);
    if (few_tiles(x, gradient.size(1), dilation)) return gradients_by_panels(g, source, dilation);
    const auto sums = sum_gradients(g, source, dilation);
    return {weight_gradient(sums.frequencies, sums.shares, gradient.size(1), x.size(1)),
            sums.bias.sum(0).to(torch::kFloat)};
}

}  // namespace mtlprune::winograd
