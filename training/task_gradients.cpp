#include "training/task_gradients.h"

#include <torch/autograd.h>

namespace mtlprune {

TaskGradients::TaskGradients(MultiTaskModel model, const Batch& batch, Fidelity fidelity,
                             const std::vector<torch::Tensor>* gates)
    : model_(std::move(model)),
      backbone_inputs_(model_->backbone->parameters()),
      parameter_count_(backbone_inputs_.size()) {
    if (gates != nullptr)
        for (const auto& gate : *gates)
            if (gate.requires_grad()) backbone_inputs_.push_back(gate);
    features_ = model_->features(batch.image, gates);
    const auto leaf = features_.detach().requires_grad_(true);
    const auto tasks = model_->config().tasks;
    std::vector<torch::Tensor> losses;
    for (size_t t = 0; t < tasks.size(); ++t) {
        const auto loss = task_loss(tasks[t], model_->head(t, leaf), batch.targets.at(t), fidelity);
        auto inputs = model_->heads[t]->parameters();
        inputs.push_back(leaf);
        auto gradients = torch::autograd::grad({loss}, inputs);
        feature_gradients_.push_back(gradients.back());
        gradients.pop_back();
        head_gradients_.push_back(std::move(gradients));
        losses.push_back(loss.detach());
    }
    losses_ = torch::stack(losses);
}

std::vector<torch::Tensor> TaskGradients::backward(const torch::Tensor& feature_gradient) {
    return torch::autograd::grad({features_}, backbone_inputs_, {feature_gradient}, /*retain_graph=*/true);
}

std::vector<torch::Tensor> TaskGradients::backbone(size_t task) {
    return backward(feature_gradients_.at(task));
}

std::vector<torch::Tensor> TaskGradients::backbone_total() {
    auto sum = feature_gradients_[0];
    for (size_t t = 1; t < feature_gradients_.size(); ++t) sum = sum + feature_gradients_[t];
    return backward(sum);
}

void TaskGradients::store(const std::vector<torch::Tensor>& backbone,
                          const std::vector<double>& head_factors) {
    for (size_t i = 0; i < parameter_count_; ++i) backbone_inputs_[i].mutable_grad() = backbone.at(i);
    for (size_t t = 0; t < head_gradients_.size(); ++t) {
        const auto parameters = model_->heads[t]->parameters();
        for (size_t i = 0; i < parameters.size(); ++i)
            parameters[i].mutable_grad() =
                head_factors.empty() ? head_gradients_[t][i] : head_gradients_[t][i] * head_factors.at(t);
    }
}

std::vector<torch::Tensor> sum_gradients(const std::vector<std::vector<torch::Tensor>>& lists) {
    std::vector<torch::Tensor> sum = lists.at(0);
    for (size_t l = 1; l < lists.size(); ++l)
        for (size_t i = 0; i < sum.size(); ++i)
            sum[i] = l == 1 ? sum[i] + lists[l][i] : sum[i].add_(lists[l][i]);
    return sum;
}

}  // namespace mtlprune
