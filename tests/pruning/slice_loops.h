// Sums over slices of weights by loops over single numbers.
#pragma once

#include <torch/types.h>

#include <vector>

namespace mtlprune::two_tasks {

/// What a loop over w g adds up, for each index of a dimension of a convolution's weight [O, I, k, k].
template <typename Term>
std::vector<double> slice_loops(const torch::Tensor& weight, const torch::Tensor& gradient, int64_t dim,
                                const Term& term) {
    const auto w = weight.detach().contiguous(), g = gradient.contiguous();
    const auto at_w = w.accessor<double, 4>(), at_g = g.accessor<double, 4>();
    std::vector<double> sums(static_cast<size_t>(w.size(dim)));
    for (int64_t o = 0; o < w.size(0); ++o)
        for (int64_t i = 0; i < w.size(1); ++i)
            for (int64_t y = 0; y < w.size(2); ++y)
                for (int64_t x = 0; x < w.size(3); ++x)
                    sums[static_cast<size_t>(dim == 0 ? o : i)] += term(at_w[o][i][y][x] * at_g[o][i][y][x]);
    return sums;
}

inline torch::Tensor as_tensor(const std::vector<double>& values) {
    return torch::tensor(values, torch::kDouble);
}

}  // namespace mtlprune::two_tasks
