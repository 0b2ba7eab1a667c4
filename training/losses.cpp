#include "training/losses.h"

#include <fmt/format.h>

#include "base/error.h"
#include "training/tasks/task_type.h"

namespace mtlprune {

torch::Tensor task_loss(const TaskSpec& task, const torch::Tensor& prediction, const Target& target,
                        Fidelity fidelity) {
    return task_type(task.kind).loss(task, prediction, target, fidelity);
}

std::vector<torch::Tensor> task_losses(const std::vector<TaskSpec>& tasks,
                                       const std::vector<torch::Tensor>& predictions,
                                       const std::vector<Target>& targets, Fidelity fidelity) {
    if (predictions.size() != tasks.size() || targets.size() != tasks.size())
        throw Error("losses", "task list", fmt::format("{} predictions and targets", tasks.size()),
                    fmt::format("{} and {}", predictions.size(), targets.size()));
    std::vector<torch::Tensor> losses;
    for (size_t t = 0; t < tasks.size(); ++t)
        losses.push_back(task_loss(tasks[t], predictions[t], targets[t], fidelity));
    return losses;
}

}  // namespace mtlprune
