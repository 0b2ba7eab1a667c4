// How a density is spread over layers.
#pragma once

#include <cstdint>
#include <vector>

namespace mtlprune {

/// Erdos-Renyi-Kernel densities (Evci et al., RigL, ICML 2020, after Mocanu et al., Nature Communications
/// 2018) of layers with weights of these shapes: in proportion to (sum of the sizes / their product)^0.9, but
/// at most 1, so that the share of all weights is `density`, in (0, 1].
std::vector<double> erk_densities(const std::vector<std::vector<int64_t>>& shapes, double density);

}  // namespace mtlprune
