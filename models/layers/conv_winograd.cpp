#include "models/layers/conv_winograd.h"

#include <ATen/Parallel.h>
#include <torch/utils.h>

#include <algorithm>
#include <array>
#include <vector>

#include "models/layers/winograd_kernels.h"

namespace mtlprune {
namespace {

using winograd::kernels;
using winograd::kFrequencies;
using winograd::kInputs;
using winograd::kOutputs;
using winograd::kPanel;

constexpr int64_t kTaps = 9;
constexpr int64_t kGroup = 16;  ///< inputs whose taps move together, for the sake of cache lines
/// Tiles that are transformed together: their frequencies should stay in a core's cache. Weight gradients
/// take more at a time, to read and write the sums less often.
constexpr int64_t kTilesPerBlock = 42, kTilesPerSum = 96;
/// Maps of no more tiles, and than outputs, are convolved by panels of outputs. How many a thread transforms
/// at least.
constexpr int64_t kFewTiles = 160, kTilesPerPart = 8;
alignas(64) constexpr float kZeros[kPanel] = {};

int64_t panels(int64_t channels) {
    return (channels + kPanel - 1) / kPanel;
}

torch::Tensor scratch(int64_t floats) {
    return at::empty({floats}, torch::kFloat);
}

/// Where tiles of kOutputs positions begin along one side. With a dilation d the positions of a tile are d
/// apart: those of equal remainder by d form a map of their own, to which the convolution is a dense one.
std::vector<int64_t> tile_origins(int64_t size, int64_t dilation) {
    std::vector<int64_t> origins;
    for (int64_t phase = 0; phase < std::min(size, dilation); ++phase)
        for (int64_t origin = phase; origin < size; origin += kOutputs * dilation) origins.push_back(origin);
    return origins;
}

/// A channels-last map [B,C,H,W], cut into tiles of 4x4 positions.
struct Map {
    int64_t batch, channels, height, width, dilation;
    std::vector<int64_t> rows, columns;  ///< where the tiles of an image begin
    int64_t image_tiles() const { return static_cast<int64_t>(rows.size() * columns.size()); }
    int64_t tiles() const { return batch * image_tiles(); }

    static Map of(const torch::Tensor& x, int64_t channels, int64_t dilation) {
        return {x.size(0),
                channels,
                x.size(2),
                x.size(3),
                dilation,
                tile_origins(x.size(2), dilation),
                tile_origins(x.size(3), dilation)};
    }

    /// Where the Side x Side positions of a tile begin, in floats; -1 outside. The inputs of a tile begin
    /// one row and one column before its outputs.
    template <int Side>
    std::array<int64_t, Side * Side> positions(int64_t tile) const {
        constexpr int64_t kMargin = (Side - kOutputs) / 2;
        const int64_t image = tile / image_tiles(), within = tile % image_tiles(),
                      row = static_cast<int64_t>(columns.size());
        const int64_t top = rows[within / row] - kMargin * dilation;
        const int64_t left = columns[within % row] - kMargin * dilation;
        std::array<int64_t, Side * Side> found;
        for (int64_t i = 0; i < Side * Side; ++i) {
            const int64_t y = top + i / Side * dilation, x = left + i % Side * dilation;
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

/// Transforms the block's channels of `count` tiles from `begin` on; `values` points at the first channel.
template <int Side>
void transform_tiles(const float* values, const Map& map, int64_t begin, int64_t count, const Block& block,
                     Transform transform) {
    constexpr int kCount = Side * Side;
    float padded[kCount][kPanel] = {};
    for (int64_t tile = 0; tile < count; ++tile) {
        const auto positions = map.positions<Side>(begin + tile);
        for (int64_t panel = 0; panel < panels(block.channels); ++panel) {
            const float* source[kCount];
            const int64_t channel = panel * kPanel, width = block.channels - channel;
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

/// All tiles of a map, transformed.
struct TransformedMap {
    torch::Tensor memory;
    Block block;

    template <int Side>
    static TransformedMap of(const torch::Tensor& x, const Map& map, Transform transform) {
        TransformedMap result = {{}, {map.tiles(), map.channels}};
        result.memory = scratch(result.block.floats());
        result.block.data = result.memory.data_ptr<float>();
        const float* values = x.data_ptr<float>();
        at::parallel_for(0, map.tiles(), kTilesPerPart, [&](int64_t begin, int64_t end) {
            Block part = result.block;
            part.data += begin * kPanel;
            transform_tiles<Side>(values, map, begin, end - begin, part, transform);
        });
        return result;
    }
};

/// Panels of outputs that share what is read of the inputs: as many as leave every thread something to do.
/// No bit depends on it.
int64_t panels_at_once(int64_t outputs) {
    return panels(outputs) >= 4 * at::get_num_threads() ? 2 : 1;
}

/// Runs work(first panel, one behind the last) for groups of panels of outputs.
template <class Work>
void for_panels(int64_t outputs, const Work& work) {
    const int64_t all = panels(outputs), at_once = panels_at_once(outputs);
    at::parallel_for(0, (all + at_once - 1) / at_once, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) work(i * at_once, std::min(all, (i + 1) * at_once));
    });
}

/// Values of a frequency of `rows` channels and a panel, and a cache line, which keeps the frequencies out of
/// each other's way.
constexpr int64_t pitch_of(int64_t rows) {
    return rows * kPanel + 16;
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

bool few_tiles(const torch::Tensor& x, int64_t outputs, int64_t dilation) {
    const int64_t tiles = Map::of(x, outputs, dilation).tiles();
    return tiles > 0 && tiles <= std::min(outputs, kFewTiles);
}

torch::Tensor convolve_tiles(const torch::Tensor& x, const Weights& weights, const torch::Tensor& bias,
                             int64_t dilation) {
    const auto source = x.contiguous(torch::MemoryFormat::ChannelsLast);
    const auto biases = padded_bias(bias, weights.outputs);
    return few_tiles(x, weights.outputs, dilation) ? convolve_panels(source, weights, biases, dilation)
                                                   : convolve_blocks(source, weights, biases, dilation);
}

/// How the sums over tiles are shared out: `slices` of the tiles, whose partial sums are added in order,
/// times `parts` of the outputs. More of them serve more threads; slices take memory, and every part
/// transforms the inputs again. The numbers depend on shapes alone, and with them every bit.
struct Shares {
    int64_t parts, panels;  ///< panels of outputs per part
    int64_t slices, tiles;  ///< tiles per slice
    int64_t floats;         ///< of one slice's frequencies, [frequency][panel of outputs][input][32]

    static Shares of(const Map& in, const Map& out) {
        constexpr int64_t kShares = 16, kFewestPanels = 4, kFewestTiles = 64, kBudget = 48 << 20;
        const int64_t all = mtlprune::panels(out.channels);
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

/// Of weight and bias.
std::pair<torch::Tensor, torch::Tensor> gradients_of_weights(const torch::Tensor& gradient,
                                                             const torch::Tensor& x, int64_t dilation) {
    const auto g = gradient.contiguous(torch::MemoryFormat::ChannelsLast);
    const auto source = x.contiguous(torch::MemoryFormat::ChannelsLast);
    if (few_tiles(x, gradient.size(1), dilation)) return gradients_by_panels(g, source, dilation);
    const auto sums = sum_gradients(g, source, dilation);
    return {weight_gradient(sums.frequencies, sums.shares, gradient.size(1), x.size(1)),
            sums.bias.sum(0).to(torch::kFloat)};
}

}  // namespace

double winograd_tile_share(const torch::Tensor& x, int64_t dilation) {
    double share = 1.0;
    for (const int64_t size : {x.size(2), x.size(3)})
        share *=
            static_cast<double>(size) / static_cast<double>(kOutputs * tile_origins(size, dilation).size());
    return share;
}

torch::Tensor winograd_forward(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                               int64_t dilation) {
    const torch::NoGradGuard no_grad;
    return convolve_tiles(x, Weights(weight, false), bias, dilation);
}

std::array<torch::Tensor, 3> winograd_backward(const torch::Tensor& gradient, const torch::Tensor& x,
                                               const torch::Tensor& weight, int64_t dilation,
                                               std::array<bool, 3> wanted) {
    const torch::NoGradGuard no_grad;
    std::array<torch::Tensor, 3> gradients;
    if (wanted[0]) gradients[0] = convolve_tiles(gradient, Weights(weight, true), {}, dilation);
    if (!wanted[1] && !wanted[2]) return gradients;
    const auto [of_weight, of_bias] = gradients_of_weights(gradient, x, dilation);
    if (wanted[1]) gradients[1] = of_weight;
    if (wanted[2]) gradients[2] = of_bias;
    return gradients;
}

}  // namespace mtlprune
