#include "models/conv_winograd.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "models/winograd_kernels.h"

namespace mtlprune {
namespace {

using winograd::kernels;
using winograd::kFrequencies;
using winograd::kPanel;

constexpr int64_t kTaps = 9;
alignas(64) constexpr float kZeros[kPanel] = {};

int64_t panels(int64_t channels) {
    return (channels + kPanel - 1) / kPanel;
}

torch::Tensor scratch(int64_t floats) {
    return at::empty({floats}, torch::kFloat);
}

/// A channels-last map [B,C,H,W], cut into tiles of 2x2 positions.
struct Map {
    int64_t batch, channels, height, width;
    int64_t tile_rows() const { return (height + 1) / 2; }
    int64_t tile_columns() const { return (width + 1) / 2; }
    int64_t tiles() const { return batch * tile_rows() * tile_columns(); }

    static Map of(const torch::Tensor& x, int64_t channels) {
        return {x.size(0), channels, x.size(2), x.size(3)};
    }

    /// Where the `side` x `side` positions of a tile begin, in floats; -1 outside. The inputs of a tile begin
    /// one row and one column before its outputs (`margin` 1).
    template <int Side>
    std::array<int64_t, Side * Side> positions(int64_t tile, int64_t margin) const {
        const int64_t image = tile / (tile_rows() * tile_columns());
        const int64_t top = tile / tile_columns() % tile_rows() * 2 - margin;
        const int64_t left = tile % tile_columns() * 2 - margin;
        std::array<int64_t, Side * Side> found;
        for (int64_t i = 0; i < Side * Side; ++i) {
            const int64_t y = top + i / Side, x = left + i % Side;
            const bool inside = y >= 0 && y < height && x >= 0 && x < width;
            found[i] = inside ? ((image * height + y) * width + x) * channels : -1;
        }
        return found;
    }
};

/// Transformed tiles, [frequency][panel][tile][32]. The planes of the frequencies are an odd number of cache
/// lines apart: a power of two would put all of them into the same few sets of the cache.
struct Block {
    int64_t capacity, channels;
    float* data = nullptr;
    int64_t hop() const { return capacity * kPanel; }
    int64_t plane() const { return panels(channels) * hop() + 16; }
    int64_t floats() const { return kFrequencies * plane(); }
    float* at(int64_t frequency, int64_t panel, int64_t tile = 0) const {
        return data + frequency * plane() + panel * hop() + tile * kPanel;
    }
};

using Transform = void (*)(const float* const* source, float* target, int64_t plane);

/// Transforms the tiles from `begin` on into the places `first`..`last` of `block`.
template <int Side>
void transform_tiles(const float* values, const Map& map, int64_t begin, int64_t first, int64_t last,
                     const Block& block, Transform transform) {
    constexpr int kCount = Side * Side;
    float padded[kCount][kPanel] = {};
    for (int64_t tile = first; tile < last; ++tile) {
        const auto positions = map.positions<Side>(begin + tile, Side == 4 ? 1 : 0);
        for (int64_t panel = 0; panel < panels(map.channels); ++panel) {
            const float* source[kCount];
            const int64_t channel = panel * kPanel, width = map.channels - channel;
            for (int i = 0; i < kCount; ++i) {
                source[i] = positions[i] < 0 ? kZeros : values + positions[i] + channel;
                if (width >= kPanel || positions[i] < 0) continue;
                std::copy_n(source[i], width, padded[i]);
                source[i] = padded[i];
            }
            transform(source, block.at(0, panel, tile), block.plane());
        }
    }
}

/// The outputs of one panel: transforms `count` products [frequency][tile][32], whose frequencies are `plane`
/// apart, for the tiles from `begin` on.
void write_outputs(const float* products, int64_t plane, const Map& map, int64_t begin, int64_t count,
                   int64_t panel, const float* bias, float* values) {
    const int64_t channel = panel * kPanel, width = std::min(kPanel, map.channels - channel);
    float spare[4][kPanel];
    for (int64_t tile = 0; tile < count; ++tile) {
        const auto positions = map.positions<2>(begin + tile, 0);
        float* target[4];
        for (int i = 0; i < 4; ++i)
            target[i] = width < kPanel || positions[i] < 0 ? spare[i] : values + positions[i] + channel;
        kernels().output(products + tile * kPanel, plane, bias + channel, target);
        if (width == kPanel) continue;
        for (int i = 0; i < 4; ++i)
            if (positions[i] >= 0) std::copy_n(spare[i], width, values + positions[i] + channel);
    }
}

/// The weights' frequencies, [panel of outputs][frequency][input][32]; `rotated` for the input gradient, where
/// inputs and outputs change places.
torch::Tensor transform_weights(const torch::Tensor& weight, bool rotated) {
    const auto source = weight.contiguous();
    const int64_t inputs = weight.size(rotated ? 0 : 1), outputs = weight.size(rotated ? 1 : 0);
    const int64_t input_pitch = weight.stride(1), width = weight.size(1);
    (void)input_pitch;
    auto result = scratch(panels(outputs) * kFrequencies * inputs * kPanel);
    const float* from = source.data_ptr<float>();
    float* to = result.data_ptr<float>();
    constexpr int64_t kGroup = 16;  // inputs whose taps are collected together, for the sake of cache lines
    const int64_t groups = (inputs + kGroup - 1) / kGroup;
    at::parallel_for(0, panels(outputs) * groups, 1, [&](int64_t begin, int64_t end) {
        float taps[kGroup][kTaps][kPanel] = {};
        for (int64_t i = begin; i < end; ++i) {
            const int64_t panel = i / groups, input = i % groups * kGroup;
            const int64_t count = std::min(kGroup, inputs - input);
            const int64_t columns = std::min(kPanel, outputs - panel * kPanel);
            const auto taps_of = [&](int64_t in, int64_t out) {
                return from + (rotated ? in * width + out : out * width + in) * kTaps;
            };
            for (int64_t j = 0; j < count; ++j)
                for (int64_t lane = 0; lane < columns; ++lane) {
                    const float* values = taps_of(input + j, panel * kPanel + lane);
                    for (int64_t tap = 0; tap < kTaps; ++tap)
                        taps[j][tap][lane] = values[rotated ? kTaps - 1 - tap : tap];
                }
            for (int64_t j = 0; j < count; ++j)
                kernels().weight(taps[j][0], to + (panel * kFrequencies * inputs + input + j) * kPanel,
                                 inputs * kPanel);
        }
    });
    return result;
}

torch::Tensor padded_bias(const torch::Tensor& bias, int64_t outputs) {
    auto padded = at::zeros({panels(outputs) * kPanel}, torch::kFloat);
    if (bias.defined()) padded.narrow(0, 0, outputs).copy_(bias);
    return padded;
}

/// Tiles whose transformed inputs and one panel of products stay in a core's cache beside some weights.
int64_t tiles_per_block(int64_t inputs) {
    const int64_t floats = kFrequencies * kPanel * (panels(inputs) + 1);
    return std::clamp<int64_t>(MB_FWD / (4 * floats), 42, 140) / 14 * 14;
}

/// `weights` from transform_weights.
torch::Tensor convolve_tiles(const torch::Tensor& x, const torch::Tensor& weights, int64_t outputs,
                             const torch::Tensor& bias) {
    const auto source = x.contiguous(torch::MemoryFormat::ChannelsLast);
    const Map in = Map::of(x, x.size(1)), out = Map::of(x, outputs);
    auto result = at::empty({out.batch, outputs, out.height, out.width}, source.options(),
                            torch::MemoryFormat::ChannelsLast);
    const auto biases = padded_bias(bias, outputs);
    const float *values = source.data_ptr<float>(), *u = weights.data_ptr<float>();
    const float* offset = biases.data_ptr<float>();
    float* target = result.data_ptr<float>();
    const int64_t capacity = tiles_per_block(in.channels), tiles = in.tiles();
    at::parallel_for(0, (tiles + capacity - 1) / capacity, 1, [&](int64_t first, int64_t last) {
        Block v = {capacity, in.channels}, m = {capacity, kPanel};
        const auto memory = scratch(v.floats() + m.floats());
        v.data = memory.data_ptr<float>();
        m.data = v.data + v.floats();
        for (int64_t i = first; i < last; ++i) {
            const int64_t begin = i * capacity, count = std::min(capacity, tiles - begin);
            transform_tiles<4>(values, in, begin, 0, count, v, kernels().data);
            for (int64_t panel = 0; panel < panels(outputs); ++panel) {
                const int64_t columns = std::min(kPanel, outputs - panel * kPanel);
                for (int64_t k = 0; k < kFrequencies; ++k)
                    kernels().product({v.at(k, 0), kPanel, 1, kPanel, v.hop(),
                                       u + (panel * kFrequencies + k) * in.channels * kPanel, m.at(k, 0),
                                       count, columns, in.channels, false});
                write_outputs(m.data, m.plane(), out, begin, count, panel, offset, target);
            }
        }
    });
    return result;
}

/// Sums over all tiles: the weight gradient's frequencies [frequency][panel of outputs][input][32] and the
/// bias gradient.
struct GradientSums {
    torch::Tensor frequencies, bias;
};

/// The frequency with row 1 and column 1 of A y A^T is the sum of the tile's four positions.
constexpr int64_t kSumFrequency = 5;

void add_bias_gradient(const Block& y, int64_t panel, int64_t count, int64_t columns, double* bias) {
    float sum[kPanel] = {};
    const float* values = y.at(kSumFrequency, panel);
    for (int64_t tile = 0; tile < count; ++tile)
        for (int64_t lane = 0; lane < kPanel; ++lane) sum[lane] += values[tile * kPanel + lane];
    for (int64_t lane = 0; lane < columns; ++lane) bias[panel * kPanel + lane] += sum[lane];
}

/// Adds a chunk of `count` tiles: each frequency and panel is one thread's, so that sums have one order.
void add_products(const Block& v, const Block& y, int64_t count, bool first, float* sums, double* bias) {
    const int64_t output_panels = panels(y.channels);
    at::parallel_for(0, kFrequencies * output_panels, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const int64_t k = i / output_panels, panel = i % output_panels;
            const int64_t columns = std::min(kPanel, y.channels - panel * kPanel);
            for (int64_t from = 0; from < v.channels; from += kPanel)
                kernels().product({v.at(k, from / kPanel), 1, kPanel, count, 0, y.at(k, panel),
                                   sums + (i * v.channels + from) * kPanel,
                                   std::min(kPanel, v.channels - from), columns, count, !first});
            if (k == kSumFrequency) add_bias_gradient(y, panel, count, columns, bias);
        }
    });
}

int64_t tiles_per_chunk(int64_t inputs, int64_t outputs) {
    const int64_t floats = kFrequencies * kPanel * (panels(inputs) + panels(outputs));
    return std::clamp<int64_t>(MB_WG / (4 * floats), 128, 2048);
}

GradientSums sum_gradients(const torch::Tensor& gradient, const torch::Tensor& x) {
    const auto g = gradient.contiguous(torch::MemoryFormat::ChannelsLast);
    const auto source = x.contiguous(torch::MemoryFormat::ChannelsLast);
    const Map in = Map::of(x, x.size(1)), out = Map::of(x, gradient.size(1));
    const int64_t tiles = in.tiles();
    const int64_t capacity = std::min(tiles, tiles_per_chunk(in.channels, out.channels));
    Block v = {capacity, in.channels}, y = {capacity, out.channels};
    const auto memory = scratch(v.floats() + y.floats());
    v.data = memory.data_ptr<float>();
    y.data = v.data + v.floats();
    GradientSums sums = {scratch(kFrequencies * panels(out.channels) * in.channels * kPanel),
                         at::zeros({out.channels}, torch::kDouble)};
    const float *inputs = source.data_ptr<float>(), *gradients = g.data_ptr<float>();
    for (int64_t begin = 0; begin < tiles; begin += capacity) {
        const int64_t count = std::min(capacity, tiles - begin);
        at::parallel_for(0, count, 16, [&](int64_t first, int64_t last) {
            transform_tiles<4>(inputs, in, begin, first, last, v, kernels().data);
            transform_tiles<2>(gradients, out, begin, first, last, y, kernels().gradient);
        });
        add_products(v, y, count, begin == 0, sums.frequencies.data_ptr<float>(),
                     sums.bias.data_ptr<double>());
    }
    return sums;
}

/// [frequency][panel of outputs][input][32] -> [O,C,3,3].
torch::Tensor weight_gradient(const torch::Tensor& frequencies, const torch::Tensor& weight) {
    const int64_t outputs = weight.size(0), inputs = weight.size(1);
    auto result = at::empty({outputs, inputs, 3, 3}, torch::kFloat);
    const float* from = frequencies.data_ptr<float>();
    float* to = result.data_ptr<float>();
    constexpr int64_t kGroup = 16;  // as in transform_weights
    const int64_t groups = (inputs + kGroup - 1) / kGroup;
    at::parallel_for(0, panels(outputs) * groups, 1, [&](int64_t begin, int64_t end) {
        float taps[kGroup][kTaps][kPanel];
        for (int64_t i = begin; i < end; ++i) {
            const int64_t panel = i / groups, input = i % groups * kGroup;
            const int64_t count = std::min(kGroup, inputs - input);
            const int64_t columns = std::min(kPanel, outputs - panel * kPanel);
            for (int64_t j = 0; j < count; ++j)
                kernels().weight_gradient(from + (panel * inputs + input + j) * kPanel,
                                          panels(outputs) * inputs * kPanel, taps[j][0]);
            for (int64_t lane = 0; lane < columns; ++lane) {
                float* row = to + ((panel * kPanel + lane) * inputs + input) * kTaps;
                for (int64_t j = 0; j < count; ++j)
                    for (int64_t tap = 0; tap < kTaps; ++tap) row[j * kTaps + tap] = taps[j][tap][lane];
            }
        }
    });
    return result;
}

}  // namespace

torch::Tensor winograd_forward(const torch::Tensor& x, const torch::Tensor& weight,
                               const torch::Tensor& bias) {
    const torch::NoGradGuard no_grad;
    return convolve_tiles(x, transform_weights(weight, false), weight.size(0), bias);
}

std::array<torch::Tensor, 3> winograd_backward(const torch::Tensor& gradient, const torch::Tensor& x,
                                               const torch::Tensor& weight, std::array<bool, 3> wanted) {
    const torch::NoGradGuard no_grad;
    std::array<torch::Tensor, 3> gradients;
    if (wanted[0])
        gradients[0] = convolve_tiles(gradient, transform_weights(weight, true), weight.size(1), {});
    if (!wanted[1] && !wanted[2]) return gradients;
    const auto sums = sum_gradients(gradient, x);
    if (wanted[1]) gradients[1] = weight_gradient(sums.frequencies, weight);
    if (wanted[2]) gradients[2] = sums.bias.to(torch::kFloat);
    return gradients;
}

}  // namespace mtlprune
