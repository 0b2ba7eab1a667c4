#include "models/layers/conv_winograd.h"

#include <torch/utils.h>

#include "models/layers/winograd_gradients.h"
#include "models/layers/winograd_tiles.h"

namespace mtlprune {
namespace winograd {
namespace {

/// Tiles that are transformed together: their frequencies should stay in a core's cache.
constexpr int64_t kTilesPerBlock = 42;

/// The outputs of one panel: transforms `count` products [frequency][tile][32], whose frequencies are `plane`
/// apart, for the tiles from `begin` on.
void write_outputs(const float* products, int64_t plane, const Map& map, int64_t begin, int64_t count,
                   int64_t panel, const float* bias, float* values) {
    const int64_t channel = panel * kPanel, width = std::min(kPanel, map.channels - channel);
    constexpr int kCount = kOutputs * kOutputs;
    float spare[kCount][kPanel];
    for (int64_t tile = 0; tile < count; ++tile) {
        const auto positions = map.positions<kOutputs>(begin + tile);
        float* target[kCount];
        for (int i = 0; i < kCount; ++i)
            target[i] = width < kPanel || positions[i] < 0 ? spare[i] : values + positions[i] + channel;
        kernels().output(products + tile * kPanel, plane, bias + channel, target);
        if (width == kPanel) continue;
        for (int i = 0; i < kCount; ++i)
            if (positions[i] >= 0) std::copy_n(spare[i], width, values + positions[i] + channel);
    }
}

/// Weights [O,C,3,3], contiguous; `rotated` for the input gradient, where inputs and outputs change places.
struct Weights {
    torch::Tensor values;
    bool rotated;
    int64_t inputs, outputs;

    Weights(const torch::Tensor& weight, bool rotate)
        : values(weight.contiguous()),
          rotated(rotate),
          inputs(weight.size(rotate ? 0 : 1)),
          outputs(weight.size(rotate ? 1 : 0)) {}

    /// Nine taps.
    const float* at(int64_t input, int64_t output) const {
        return values.data_ptr<float>() +
               (rotated ? input * outputs + output : output * inputs + input) * kTaps;
    }
};

/// Frequencies of a panel of outputs and `count` (up to kGroup) inputs: [frequency][input][32], the former
/// `plane` apart.
void transform_group(const Weights& weights, int64_t panel, int64_t input, int64_t count, float* to,
                     int64_t plane) {
    float taps[kGroup][kTaps][kPanel] = {};
    const int64_t columns = std::min(kPanel, weights.outputs - panel * kPanel);
    for (int64_t j = 0; j < count; ++j)
        for (int64_t lane = 0; lane < columns; ++lane) {
            const float* values = weights.at(input + j, panel * kPanel + lane);
            for (int64_t tap = 0; tap < kTaps; ++tap)
                taps[j][tap][lane] = values[weights.rotated ? kTaps - 1 - tap : tap];
        }
    for (int64_t j = 0; j < count; ++j) kernels().weight(taps[j][0], to + j * kPanel, plane);
}

/// The weights' frequencies, [panel of outputs][frequency][input][32].
torch::Tensor transform_weights(const Weights& weights) {
    const int64_t inputs = weights.inputs, groups = (inputs + kGroup - 1) / kGroup;
    auto result = scratch(panels(weights.outputs) * kFrequencies * inputs * kPanel);
    float* to = result.data_ptr<float>();
    at::parallel_for(0, panels(weights.outputs) * groups, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const int64_t panel = i / groups, input = i % groups * kGroup;
            transform_group(weights, panel, input, std::min(kGroup, inputs - input),
                            to + (panel * kFrequencies * inputs + input) * kPanel, inputs * kPanel);
        }
    });
    return result;
}

torch::Tensor padded_bias(const torch::Tensor& bias, int64_t outputs) {
    auto padded = at::zeros({panels(outputs) * kPanel}, torch::kFloat);
    if (bias.defined()) padded.narrow(0, 0, outputs).copy_(bias);
    return padded;
}

/// Of about the same size, and an even number of them, so that two threads have the same work.
int64_t blocks_of(int64_t tiles) {
    return std::max<int64_t>(1, (tiles + 2 * kTilesPerBlock - 1) / (2 * kTilesPerBlock)) * 2;
}

torch::Tensor empty_outputs(const Map& map) {
    return at::empty({map.batch, map.channels, map.height, map.width}, torch::kFloat,
                     torch::MemoryFormat::ChannelsLast);
}

/// `x` is channels-last. Blocks of tiles, each with all outputs.
torch::Tensor convolve_blocks(const torch::Tensor& x, const Weights& weights, const torch::Tensor& biases,
                              int64_t dilation) {
    const Map in = Map::of(x, weights.inputs, dilation), out = Map::of(x, weights.outputs, dilation);
    const auto frequencies = transform_weights(weights);
    auto result = empty_outputs(out);
    const float *values = x.data_ptr<float>(), *u = frequencies.data_ptr<float>();
    const float* offset = biases.data_ptr<float>();
    float* target = result.data_ptr<float>();
    const int64_t tiles = in.tiles(), blocks = blocks_of(tiles);
    const int64_t capacity = (tiles + blocks - 1) / blocks;
    at::parallel_for(0, blocks, 1, [&](int64_t first, int64_t last) {
        Block v = {capacity, in.channels}, m = {capacity, kPanel};
        const auto memory = scratch(v.floats() + m.floats());
        v.data = memory.data_ptr<float>();
        m.data = v.data + v.floats();
        for (int64_t i = first; i < last; ++i) {
            const int64_t begin = i * capacity, count = std::clamp<int64_t>(tiles - begin, 0, capacity);
            transform_tiles<kInputs>(values, in, begin, count, v, kernels().data);
            for (int64_t panel = 0; panel < panels(out.channels); ++panel) {
                const int64_t columns = std::min(kPanel, out.channels - panel * kPanel);
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

/// Panels of outputs, each with all tiles: where the weights' frequencies are larger than the map's they
/// never leave the cache.
torch::Tensor convolve_panels(const torch::Tensor& x, const Weights& weights, const torch::Tensor& biases,
                              int64_t dilation) {
    constexpr int64_t kDepth = 2 * kPanel, kPlane = pitch_of(kDepth);
    const Map in = Map::of(x, weights.inputs, dilation), out = Map::of(x, weights.outputs, dilation);
    const auto transformed = TransformedMap::of<kInputs>(x, in, kernels().data);
    const Block& v = transformed.block;
    auto result = empty_outputs(out);
    const float* offset = biases.data_ptr<float>();
    float* target = result.data_ptr<float>();
    for_panels(out.channels, [&](int64_t first, int64_t last) {
        Block m = {v.capacity, (last - first) * kPanel};
        const auto memory = scratch(m.floats() + (last - first) * kFrequencies * kPlane);
        m.data = memory.data_ptr<float>();
        float* u = m.data + m.floats();
        for (int64_t input = 0; input < in.channels; input += kDepth) {
            const int64_t depth = std::min(kDepth, in.channels - input);
            for (int64_t panel = first; panel < last; ++panel)
                for (int64_t j = 0; j < depth; j += kGroup)
                    transform_group(weights, panel, input + j, std::min(kGroup, depth - j),
                                    u + (panel - first) * kFrequencies * kPlane + j * kPanel, kPlane);
            for (int64_t k = 0; k < kFrequencies; ++k)
                for (int64_t panel = first; panel < last; ++panel)
                    kernels().product({v.at(k, input / kPanel), kPanel, 1, kPanel, v.hop(),
                                       u + ((panel - first) * kFrequencies + k) * kPlane,
                                       m.at(k, panel - first), v.capacity,
                                       std::min(kPanel, out.channels - panel * kPanel), depth, input > 0});
        }
        for (int64_t panel = first; panel < last; ++panel)
            write_outputs(m.at(0, panel - first), m.plane(), out, 0, v.capacity, panel, offset, target);
    });
    return result;
}

torch::Tensor convolve_tiles(const torch::Tensor& x, const Weights& weights, const torch::Tensor& bias,
                             int64_t dilation) {
    const auto source = x.contiguous(torch::MemoryFormat::ChannelsLast);
    const auto biases = padded_bias(bias, weights.outputs);
    return few_tiles(x, weights.outputs, dilation) ? convolve_panels(source, weights, biases, dilation)
                                                   : convolve_blocks(source, weights, biases, dilation);
}

}  // namespace
}  // namespace winograd

double winograd_tile_share(const torch::Tensor& x, int64_t dilation) {
    double share = 1.0;
    for (const int64_t size : {x.size(2), x.size(3)})
        share *= static_cast<double>(size) /
                 static_cast<double>(winograd::kOutputs * winograd::tile_origins(size, dilation).size());
    return share;
}

torch::Tensor winograd_forward(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                               int64_t dilation) {
    const torch::NoGradGuard no_grad;
    return winograd::convolve_tiles(x, winograd::Weights(weight, false), bias, dilation);
}

std::array<torch::Tensor, 3> winograd_backward(const torch::Tensor& gradient, const torch::Tensor& x,
                                               const torch::Tensor& weight, int64_t dilation,
                                               std::array<bool, 3> wanted) {
    const torch::NoGradGuard no_grad;
    std::array<torch::Tensor, 3> gradients;
    if (wanted[0])
        gradients[0] = winograd::convolve_tiles(gradient, winograd::Weights(weight, true), {}, dilation);
    if (!wanted[1] && !wanted[2]) return gradients;
    const auto [of_weight, of_bias] = winograd::gradients_of_weights(gradient, x, dilation);
    if (wanted[1]) gradients[1] = of_weight;
    if (wanted[2]) gradients[2] = of_bias;
    return gradients;
}

}  // namespace mtlprune
