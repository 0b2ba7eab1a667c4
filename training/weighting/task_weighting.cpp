#include "training/weighting/task_weighting.h"

#include "training/task_gradients.h"

namespace mtlprune {

std::vector<torch::Tensor> TaskWeighting::combine(const WeightingStep& step) const {
    return weighted_sum(step.gradients, weights());
}

const WeightingRegistry& task_weightings() {
    static const WeightingRegistry registry = [] {
        WeightingRegistry entries("task weighting");
        for (auto& entry : {fixed_weighting(), uncertainty_weighting(), dwa_weighting(), gradnorm_weighting(),
                            pcgrad_weighting(), adapmtl_weighting()})
            entries.add(entry);
        return entries;
    }();
    return registry;
}

void require_task_weighting(const std::string& text) {
    const auto choice = parse_choice("task weighting", text);
    complete_options("task weighting", task_weightings().at(choice.key), choice.options, false);
}

std::vector<torch::Tensor> weighted_sum(const TaskLists& gradients, const torch::Tensor& weights) {
    if (!weights.defined()) return sum_gradients(gradients);
    TaskLists weighted = gradients;
    for (size_t t = 0; t < weighted.size(); ++t)
        for (auto& gradient : weighted[t])
            if (gradient.defined())
                gradient = gradient * weights[static_cast<int64_t>(t)].to(gradient.scalar_type());
    return sum_gradients(weighted);
}

const torch::Tensor& weighting_entry(const TensorMap& state, const std::string& name) {
    const auto found = state.find(name);
    if (found == state.end()) throw Error("checkpoint", "weighting." + name, "a tensor", "nothing");
    return found->second;
}

}  // namespace mtlprune
