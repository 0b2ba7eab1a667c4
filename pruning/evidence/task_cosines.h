// Cosines between the tasks' gradients per filter, what CosPrune and others read.
#pragma once

#include <string>
#include <vector>

#include "pruning/evidence/mean_gradients.h"

namespace mtlprune {

/// Inner products of the tasks' gradients per filter in one pass over memory.
/// gradients: T tensors [C, ...] of one shape -> float64 [C, T, T].
torch::Tensor task_gram(const std::vector<torch::Tensor>& gradients);

/// Mean over task pairs of the cosine per filter: [C, T, T] -> [C].
torch::Tensor mean_pairwise_cosine(const torch::Tensor& gram);

/// Cosines of all pairs, 0 where a gradient is 0: [C, T, T] -> [C, T, T].
torch::Tensor pairwise_cosines(const torch::Tensor& gram);

/// 1 for pairs (i < j) of gradients of which neither is 0, else 0: [C, T, T] -> [C, T, T].
torch::Tensor pairs_with_gradients(const torch::Tensor& gram);

/// Mean of max(0, -cosine) over the pairs of gradients of which neither is 0, in [0, 1]; 0 where there is
/// none: [C, T, T] -> [C].
torch::Tensor mean_pairwise_conflict(const torch::Tensor& gram);

/// Members whose gradients make up a filter's: the weights of the group's producers, no biases.
std::vector<const Member*> filter_members(const Group& group);

/// task_gram of the gradients of all producers of a group, put behind one another. Throws Error naming the
/// criterion when none is known or there is one task only.
torch::Tensor filter_gram(const Group& group, const GradientLists& task_gradients,
                          const std::string& criterion);

}  // namespace mtlprune
