// A map cut into tiles, and their frequencies: what all passes of models/layers/conv_winograd.h share.
#pragma once

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "models/layers/winograd_kernels.h"

namespace mtlprune::winograd {

constexpr int64_t kTaps = 9;
constexpr int64_t kGroup = 16;  ///< inputs whose taps move together, for the sake of cache lines

inline int64_t panels(int64_t channels) {
    return (channels + kPanel - 1) / kPanel;
}

inline torch::Tensor scratch(int64_t floats) {
    return at::empty({floats}, torch::kFloat);
}

/// Values of a frequency of `rows` channels and a panel, and a cache line, which keeps the frequencies out of
/// each other's way.
constexpr int64_t pitch_of(int64_t rows) {
    return rows * kPanel + 16;
}

/// Where tiles of kOutputs positions begin along one side. With a dilation d the positions of a tile are d
/// apart: those of equal remainder by d form a map of their own, to which the convolution is a dense one.
std::vector<int64_t> tile_origins(int64_t size, int64_t dilation);

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
/// Side: kInputs or kOutputs.
template <int Side>
void transform_tiles(const float* values, const Map& map, int64_t begin, int64_t count, const Block& block,
                     Transform transform);

/// All tiles of a map, transformed.
struct TransformedMap {
    torch::Tensor memory;
    Block block;

    template <int Side>
    static TransformedMap of(const torch::Tensor& x, const Map& map, Transform transform);
};

/// The map has so few tiles that work goes by panels of outputs: the weights' frequencies are larger than the
/// map's, and are made and used up in the cache.
bool few_tiles(const torch::Tensor& x, int64_t outputs, int64_t dilation);

/// Panels of outputs that share what is read of the inputs: as many as leave every thread something to do.
/// No bit depends on it.
inline int64_t panels_at_once(int64_t outputs) {
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

}  // namespace mtlprune::winograd
