// An iteration's gradients by the names of parameters, as criteria and weight masks read them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "pruning/masks/maskable_weights.h"
#include "training/task_gradients.h"

namespace mtlprune {

struct GradientsByName {
    std::map<std::string, torch::Tensor> total;                  ///< of the weighted sum of the losses
    std::map<std::string, std::vector<torch::Tensor>> of_tasks;  ///< zeros where a loss does not reach
};

/// Those of the parameters that all tasks share; `of_tasks` as TrainingStep::task_gradients.
void add_shared_gradients(GradientsByName& sum, const Model& model,
                          const std::vector<std::vector<torch::Tensor>>& of_tasks);
/// Those of the tasks' own parameters, each zero to the other tasks; where a loss does not reach, nothing.
void add_own_gradients(GradientsByName& sum, const Model& model, const TaskGradients& gradients);

/// Per task and weight, of both kinds.
std::vector<std::vector<torch::Tensor>> task_gradients_of(
    const std::vector<MaskableWeight>& weights, const Model& model,
    const std::vector<std::vector<torch::Tensor>>& shared, const TaskGradients& gradients);

}  // namespace mtlprune
