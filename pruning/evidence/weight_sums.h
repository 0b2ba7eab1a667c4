// Sums of |w|^p over the slices of weights, each weight read once.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace mtlprune {

/// Sums of |w|^p over all elements of each index of dimension 0 and of dimension 1 (empty for vectors).
struct WeightSums {
    std::vector<double> rows;
    std::vector<double> columns;
};

/// For every tensor (rank 1 or more, any floating type and device), p = 1 or 2. Contiguous and channels-last
/// float32 weights on the CPU are read once, at memory bandwidth, with all of LibTorch's threads; single
/// precision is used within blocks only (relative error about 1e-6), and the result does not depend on the
/// number of threads. All others go through tensor operations.
std::vector<WeightSums> weight_sums(const std::vector<torch::Tensor>& weights, int p);

/// The same sums for the indices of any dimension, through tensor operations.
std::vector<double> weight_sums_along(const torch::Tensor& weight, int64_t dim, int p);

}  // namespace mtlprune
