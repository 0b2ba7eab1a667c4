#include "pruning/schedules/gradients_by_name.h"

#include <torch/utils.h>

namespace mtlprune {

void add_shared_gradients(GradientsByName& sum, const Model& model,
                          const std::vector<std::vector<torch::Tensor>>& of_tasks) {
    const auto parameters = model.shared_parameters();
    for (size_t i = 0; i < parameters.size(); ++i) {
        auto& tasks = sum.of_tasks[parameters[i].first];
        for (const auto& task : of_tasks)
            tasks.push_back(task[i].defined() ? task[i] : torch::zeros_like(parameters[i].second));
    }
}

void add_own_gradients(GradientsByName& sum, const Model& model, const TaskGradients& gradients) {
    const size_t tasks = model.tasks().size();
    for (size_t t = 0; t < tasks; ++t) {
        const auto parameters = model.parameters_of(t);
        const auto of_total = gradients.own_of_total(t);
        for (size_t i = 0; i < parameters.size(); ++i) {
            const auto& gradient = gradients.own(t)[i];
            if (!gradient.defined()) continue;
            sum.total[parameters[i].first] = of_total[i];
            auto& of_tasks = sum.of_tasks[parameters[i].first];
            of_tasks.assign(tasks, torch::zeros_like(gradient));
            of_tasks[t] = gradient;
        }
    }
}

std::vector<std::vector<torch::Tensor>> task_gradients_of(
    const std::vector<MaskableWeight>& weights, const Model& model,
    const std::vector<std::vector<torch::Tensor>>& shared, const TaskGradients& gradients) {
    GradientsByName named;
    add_shared_gradients(named, model, shared);
    add_own_gradients(named, model, gradients);
    std::vector<std::vector<torch::Tensor>> of_tasks(model.tasks().size());
    for (const auto& weight : weights) {
        const auto found = named.of_tasks.find(weight.name);
        for (size_t t = 0; t < of_tasks.size(); ++t)
            of_tasks[t].push_back(found == named.of_tasks.end() ? torch::zeros_like(weight.parameter)
                                                                : found->second[t]);
    }
    return of_tasks;
}

}  // namespace mtlprune
