// Scores of several tasks made comparable, and ranks of channels among all.
#pragma once

#include <torch/types.h>

#include <vector>

#include "base/registry.h"

namespace mtlprune {

/// What a task's scores are divided by, so that tasks of large losses do not decide alone: their sum or their
/// mean over all channels of all groups, or their L2 norm in each group. A divisor of 0 is not applied.
enum class TaskNormaliser { sum, mean, layer, none };

/// "task_normaliser"
Option task_normaliser_option(const char* fallback);
TaskNormaliser read_task_normaliser(const nlohmann::json& options);

/// Per group [C, T], not negative, float64.
std::vector<torch::Tensor> normalise_tasks(std::vector<torch::Tensor> groups, TaskNormaliser normaliser);

/// Rank / (N - 1) of each of N values in [0, 1], 0 for the smallest; equal values share the mean of their
/// ranks. [N] -> [N], float64.
torch::Tensor relative_ranks(const torch::Tensor& values);

/// Each column's ranks among the channels of all groups: per group [C, T] -> [C, T].
std::vector<torch::Tensor> ranks_among_all(const std::vector<torch::Tensor>& groups);

}  // namespace mtlprune
