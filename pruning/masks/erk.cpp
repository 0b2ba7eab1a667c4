#include "pruning/masks/erk.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mtlprune {
namespace {

struct Layer {
    double weights, raw;
    bool dense = false;
};

Layer layer_of(const std::vector<int64_t>& shape) {
    const auto sum = static_cast<double>(std::accumulate(shape.begin(), shape.end(), int64_t{0}));
    double product = 1.0;
    for (const int64_t size : shape) product *= static_cast<double>(size);
    return {product, std::pow(sum / product, 0.9)};
}

/// The factor of `raw` that leads to the density, the dense layers being what they are.
double scale_of(const std::vector<Layer>& layers, double density) {
    double wanted = 0.0, sum = 0.0;
    for (const auto& layer : layers) {
        wanted += layer.dense ? layer.weights * (density - 1.0) : layer.weights * density;
        if (!layer.dense) sum += layer.raw * layer.weights;
    }
    return sum > 0.0 ? wanted / sum : 0.0;
}

}  // namespace

std::vector<double> erk_densities(const std::vector<std::vector<int64_t>>& shapes, double density) {
    std::vector<Layer> layers;
    for (const auto& shape : shapes) layers.push_back(layer_of(shape));
    double scale = scale_of(layers, density);
    while (true) {
        double most = 0.0;
        for (const auto& layer : layers)
            if (!layer.dense) most = std::max(most, layer.raw);
        if (scale * most <= 1.0) break;
        for (auto& layer : layers) layer.dense |= layer.raw == most;
        scale = scale_of(layers, density);
    }
    std::vector<double> densities;
    for (const auto& layer : layers) densities.push_back(layer.dense ? 1.0 : scale * layer.raw);
    return densities;
}

}  // namespace mtlprune
