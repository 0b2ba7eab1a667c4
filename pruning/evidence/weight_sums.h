// Sums over the slices of weights, or of weights times their gradients, each read once.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace mtlprune {

/// What of every weight is added up: |x|, x^2 or x, where x is w, or w g beside a gradient g.
enum class Summand { absolute, square, value };

/// Sums over all elements of each index of dimension 0 and of dimension 1 (empty for vectors).
struct WeightSums {
    std::vector<double> rows;
    std::vector<double> columns;
};

/// For every tensor (rank 1 or more, any floating type and device); `gradients` is empty or has one of the
/// same shape for each. Contiguous and channels-last float32 weights on the CPU are read once, at memory
/// bandwidth, with all of LibTorch's threads; single precision is used within blocks only (error about 1e-6
/// of the sum of |x|), and the result does not depend on the number of threads. All others go through tensor
/// operations.
std::vector<WeightSums> weight_sums(const std::vector<torch::Tensor>& weights, Summand summand,
                                    const std::vector<torch::Tensor>& gradients = {});

/// The same sums for the indices of any dimension, through tensor operations; the gradient may be undefined.
std::vector<double> weight_sums_along(const torch::Tensor& weight, int64_t dim, Summand summand,
                                      const torch::Tensor& gradient = {});

}  // namespace mtlprune
