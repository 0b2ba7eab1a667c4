#include "models/layers/winograd_tiles.h"

#include <torch/utils.h>

namespace mtlprune::winograd {
namespace {

/// Maps of no more tiles, and than outputs, have few. How many a thread transforms at least.
constexpr int64_t kFewTiles = 160, kTilesPerPart = 8;
alignas(64) constexpr float kZeros[kPanel] = {};

}  // namespace

std::vector<int64_t> tile_origins(int64_t size, int64_t dilation) {
    std::vector<int64_t> origins;
    for (int64_t phase = 0; phase < std::min(size, dilation); ++phase)
        for (int64_t origin = phase; origin < size; origin += kOutputs * dilation) origins.push_back(origin);
    return origins;
}

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

template <int Side>
TransformedMap TransformedMap::of(const torch::Tensor& x, const Map& map, Transform transform) {
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

template void transform_tiles<kInputs>(const float*, const Map&, int64_t, int64_t, const Block&, Transform);
template void transform_tiles<kOutputs>(const float*, const Map&, int64_t, int64_t, const Block&, Transform);
template TransformedMap TransformedMap::of<kInputs>(const torch::Tensor&, const Map&, Transform);
template TransformedMap TransformedMap::of<kOutputs>(const torch::Tensor&, const Map&, Transform);

bool few_tiles(const torch::Tensor& x, int64_t outputs, int64_t dilation) {
    const int64_t tiles = Map::of(x, outputs, dilation).tiles();
    return tiles > 0 && tiles <= std::min(outputs, kFewTiles);
}

}  // namespace mtlprune::winograd
