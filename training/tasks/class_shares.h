// Shares of classes, the best prediction of classes without an image.
#pragma once

#include <torch/types.h>

#include <vector>

#include "datasets/contract/batch.h"
#include "datasets/contract/task.h"

namespace mtlprune {

/// The share of each class among the valid targets, [1,C,1,1]. Throws Error naming the task without any.
torch::Tensor class_shares(const TaskSpec& task, const std::vector<Target>& train);

}  // namespace mtlprune
