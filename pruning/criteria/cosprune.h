// CosPrune: pairwise cosine of the tasks' gradients per filter (Garg, Zhang, Guan, 2023).
#pragma once

#include "pruning/criteria/criterion.h"

namespace mtlprune {

/// Inner products of the tasks' gradients per filter in one pass over memory.
/// gradients: T tensors [C, ...] of one shape -> float64 [C, T, T].
torch::Tensor task_gram(const std::vector<torch::Tensor>& gradients);

/// Mean over task pairs of the cosine per filter: [C, T, T] -> [C].
torch::Tensor mean_pairwise_cosine(const torch::Tensor& gram);

}  // namespace mtlprune
