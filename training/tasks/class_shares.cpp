#include "training/tasks/class_shares.h"

#include "training/tasks/pixel_targets.h"

namespace mtlprune {

torch::Tensor class_shares(const TaskSpec& task, const std::vector<Target>& train) {
    auto counts = torch::zeros({task.channels}, torch::kDouble);
    for (const auto& target : train)
        counts +=
            torch::bincount(target.value.masked_select(target.mask.view_as(target.value)), {}, task.channels);
    return known_constant(task, (counts / counts.sum()).view({1, -1, 1, 1}));
}

}  // namespace mtlprune
