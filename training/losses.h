// The loss of each task of a batch.
#pragma once

#include <torch/types.h>

#include <vector>

#include "datasets/contract/batch.h"
#include "datasets/contract/task.h"
#include "training/fidelity.h"

namespace mtlprune {

/// The scalar loss of one task, see its TaskType. The target is nearest-resized to the prediction's h x w. A
/// batch without a valid pixel gives 0 with zero gradients (corrected) or NaN (as released). prediction
/// [B,C,h,w]; classification also [B,C]. Throws Error for shapes that do not fit.
torch::Tensor task_loss(const TaskSpec& task, const torch::Tensor& prediction, const Target& target,
                        Fidelity fidelity = Fidelity::corrected);

/// One scalar per task, in order.
std::vector<torch::Tensor> task_losses(const std::vector<TaskSpec>& tasks,
                                       const std::vector<torch::Tensor>& predictions,
                                       const std::vector<Target>& targets,
                                       Fidelity fidelity = Fidelity::corrected);

}  // namespace mtlprune
