#include "training/task_gradients.h"

#include <torch/autograd.h>

namespace mtlprune {
namespace {

std::vector<torch::Tensor> values_of(const NamedParameters& named) {
    std::vector<torch::Tensor> values;
    values.reserve(named.size());
    for (const auto& [name, value] : named) values.push_back(value);
    return values;
}

}  // namespace

void add_gradient(const torch::Tensor& parameter, const torch::Tensor& gradient) {
    if (!gradient.defined()) return;
    auto& sum = parameter.mutable_grad();
    sum = sum.defined() ? sum + gradient : gradient;
}

TaskGradients::TaskGradients(Model& model, const Batch& batch, Fidelity fidelity)
    : shared_inputs_(values_of(model.shared_parameters())), shared_count_(shared_inputs_.size()) {
    for (const auto& gate : model.gates())
        if (gate.requires_grad()) shared_inputs_.push_back(gate);
    features_ = model.features(batch.image);
    FeatureMaps leaves;
    for (const auto& map : features_) leaves.push_back(map.detach().requires_grad_(true));
    std::vector<torch::Tensor> losses;
    for (size_t t = 0; t < model.tasks().size(); ++t) {
        const auto loss =
            task_loss(model.tasks()[t], model.predict(t, leaves), batch.targets.at(t), fidelity);
        own_parameters_.push_back(values_of(model.parameters_of(t)));
        auto inputs = own_parameters_.back();
        inputs.insert(inputs.end(), leaves.begin(), leaves.end());
        auto gradients = torch::autograd::grad({loss}, inputs, {}, c10::nullopt, /*create_graph=*/false,
                                               /*allow_unused=*/true);
        const auto of_leaves = gradients.end() - static_cast<std::ptrdiff_t>(leaves.size());
        feature_gradients_.emplace_back(of_leaves, gradients.end());
        gradients.erase(of_leaves, gradients.end());
        own_gradients_.push_back(std::move(gradients));
        losses.push_back(loss.detach());
    }
    losses_ = torch::stack(losses);
}

std::vector<torch::Tensor> TaskGradients::backward(const std::vector<torch::Tensor>& feature_gradients) {
    std::vector<torch::Tensor> maps, gradients;
    for (size_t m = 0; m < features_.size(); ++m) {
        if (!feature_gradients[m].defined()) continue;
        maps.push_back(features_[m]);
        gradients.push_back(feature_gradients[m]);
    }
    return torch::autograd::grad(maps, shared_inputs_, gradients, /*retain_graph=*/true,
                                 /*create_graph=*/false, /*allow_unused=*/true);
}

std::vector<torch::Tensor> TaskGradients::shared(size_t task) {
    return backward(feature_gradients_.at(task));
}

std::vector<torch::Tensor> TaskGradients::shared_total() {
    auto sum = feature_gradients_[0];
    for (size_t t = 1; t < feature_gradients_.size(); ++t)
        for (size_t m = 0; m < sum.size(); ++m) {
            const auto& more = feature_gradients_[t][m];
            if (more.defined()) sum[m] = sum[m].defined() ? sum[m] + more : more;
        }
    return backward(sum);
}

void TaskGradients::store(const std::vector<torch::Tensor>& shared) {
    for (size_t i = 0; i < shared_count_; ++i) shared_inputs_[i].mutable_grad() = shared.at(i);
    for (size_t t = 0; t < own_gradients_.size(); ++t)
        for (size_t i = 0; i < own_gradients_[t].size(); ++i)
            own_parameters_[t][i].mutable_grad() = own_gradients_[t][i];
}

void TaskGradients::add(const std::vector<torch::Tensor>& shared, const std::vector<size_t>& tasks) {
    for (size_t i = 0; i < shared_count_; ++i) add_gradient(shared_inputs_[i], shared.at(i));
    for (const size_t t : tasks)
        for (size_t i = 0; i < own_gradients_.at(t).size(); ++i)
            add_gradient(own_parameters_[t][i], own_gradients_[t][i]);
}

std::vector<torch::Tensor> sum_gradients(const std::vector<std::vector<torch::Tensor>>& lists) {
    std::vector<torch::Tensor> sum = lists.at(0);
    std::vector<bool> ours(sum.size(), false);  // no list's tensor is changed
    for (size_t l = 1; l < lists.size(); ++l)
        for (size_t i = 0; i < sum.size(); ++i) {
            const auto& more = lists[l].at(i);
            if (!more.defined()) continue;
            if (!sum[i].defined()) {
                sum[i] = more;
                continue;
            }
            sum[i] = ours[i] ? sum[i].add_(more) : sum[i] + more;
            ours[i] = true;
        }
    return sum;
}

}  // namespace mtlprune
