// What tasks that predict one value per pixel (depth, keypoints, edges) have in common.
#pragma once

#include <memory>

#include "training/tasks/task_type.h"

namespace mtlprune {

/// Mean absolute error over valid pixels; medians as predictions without an image.
class ScalarMapTask : public TaskType {
  public:
    torch::Tensor loss(const TaskSpec& task, const torch::Tensor& prediction, const Target& target,
                       Fidelity fidelity) const override;
    /// The median of all valid values (the lower of two middle ones).
    torch::Tensor constant(const TaskSpec& task, const std::vector<Target>& train) const override;
    torch::Tensor by_position(const TaskSpec& task, const std::vector<Target>& train) const override;
};

/// The prediction in float32 at the target's size.
torch::Tensor upsampled(const torch::Tensor& prediction, const Target& target);

}  // namespace mtlprune
