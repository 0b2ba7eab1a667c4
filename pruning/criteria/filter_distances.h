// How far each channel's filter is from all others: small means that others can stand in for it.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "pruning/coupling/groups.h"

namespace mtlprune {

/// Per row of [n, length]: the sum of the Euclidean distances to all rows. In the type of the
/// filters, at least float32 (relative error about 1e-5 there, 1e-13 in float64), O(n^2 length).
std::vector<double> distance_sums(const torch::Tensor& filters);

/// Per channel of the member: distance sums of its filters in `weight`. A channel's filter is all its slices;
/// `of_squares` compares element-wise w^2 instead, each slice by itself, and adds up a channel's slices.
std::vector<double> filter_distances(const Member& member, const torch::Tensor& weight, bool of_squares);

}  // namespace mtlprune
