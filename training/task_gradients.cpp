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

TaskGradients::TaskGradients(Model& model, const Batch& batch, const GradientOptions& options)
    : options_(options),
      shared_inputs_(values_of(model.shared_parameters())),
      shared_count_(shared_inputs_.size()) {
    for (const auto& gate : model.gates())
        if (gate.requires_grad()) shared_inputs_.push_back(gate);
    {
        const PrecisionScope casts(options_.precision, batch.image.device());
        features_ = model.features(batch.image);
    }
    FeatureMaps leaves;
    for (const auto& map : features_) leaves.push_back(map.detach().requires_grad_(true));
    std::vector<torch::Tensor> losses;
    for (size_t t = 0; t < model.tasks().size(); ++t)
        losses.push_back(take_task(model, t, leaves, batch.targets.at(t)));
    losses_ = torch::stack(losses);
    take_feature_loss(batch, leaves);
    if (options_.share != 1.0) losses_ = losses_ * options_.share;
}

std::vector<torch::Tensor> TaskGradients::gradients_of(const torch::Tensor& loss,
                                                       const std::vector<torch::Tensor>& inputs) const {
    const double factor = options_.loss_scale * options_.share;
    std::vector<torch::Tensor> factors;
    if (factor != 1.0) factors.push_back(torch::full_like(loss, factor));
    return torch::autograd::grad({loss}, inputs, factors, c10::nullopt, /*create_graph=*/false,
                                 /*allow_unused=*/true);
}

void TaskGradients::take_feature_loss(const Batch& batch, const FeatureMaps& leaves) {
    if (!options_.feature_loss) return;
    const auto loss = options_.feature_loss(batch, leaves, losses_);
    if (loss.defined()) of_feature_loss_ = gradients_of(loss, leaves);
}

torch::Tensor TaskGradients::take_task(Model& model, size_t task, const FeatureMaps& leaves,
                                       const Target& target) {
    const auto prediction = [&] {
        const PrecisionScope casts(options_.precision, leaves.front().device());
        return model.predict(task, leaves);
    }();
    const auto loss = task_loss(model.tasks()[task], prediction, target, options_.losses);
    own_parameters_.push_back(values_of(model.parameters_of(task)));
    auto inputs = own_parameters_.back();
    inputs.insert(inputs.end(), leaves.begin(), leaves.end());
    auto gradients = gradients_of(loss, inputs);
    const auto of_leaves = gradients.end() - static_cast<std::ptrdiff_t>(leaves.size());
    feature_gradients_.emplace_back(of_leaves, gradients.end());
    gradients.erase(of_leaves, gradients.end());
    unscale(gradients);
    own_gradients_.push_back(std::move(gradients));
    return loss.detach();
}

void TaskGradients::join(const TaskGradients& other) {
    losses_ = losses_ + other.losses_;
    for (size_t t = 0; t < own_gradients_.size(); ++t)
        own_gradients_[t] = sum_gradients({other.own_gradients_.at(t), own_gradients_[t]});
}

std::vector<torch::Tensor*> TaskGradients::parts() {
    std::vector<torch::Tensor*> parts = {&losses_};
    for (auto& list : own_gradients_)
        for (auto& gradient : list) parts.push_back(&gradient);
    return parts;
}

void TaskGradients::unscale(std::vector<torch::Tensor>& gradients) const {
    if (options_.loss_scale == 1.0) return;
    for (auto& gradient : gradients)
        if (gradient.defined()) gradient = gradient * (1.0 / options_.loss_scale);
}

torch::Tensor TaskGradients::weighted(const torch::Tensor& gradient, size_t task) const {
    if (!weights_.defined() || !gradient.defined()) return gradient;
    return gradient * weights_[static_cast<int64_t>(task)].to(gradient.scalar_type());
}

std::vector<torch::Tensor> TaskGradients::own_of_total(size_t task) const {
    std::vector<torch::Tensor> gradients;
    for (const auto& gradient : own_gradients_.at(task)) gradients.push_back(weighted(gradient, task));
    return gradients;
}

std::vector<torch::Tensor> TaskGradients::backward(const std::vector<torch::Tensor>& feature_gradients) {
    std::vector<torch::Tensor> maps, gradients;
    for (size_t m = 0; m < features_.size(); ++m) {
        if (!feature_gradients[m].defined()) continue;
        maps.push_back(features_[m]);
        gradients.push_back(feature_gradients[m]);
    }
    auto shared = torch::autograd::grad(maps, shared_inputs_, gradients, /*retain_graph=*/true,
                                        /*create_graph=*/false, /*allow_unused=*/true);
    unscale(shared);
    return shared;
}

std::vector<torch::Tensor> TaskGradients::shared(size_t task) {
    return backward(feature_gradients_.at(task));
}

std::vector<torch::Tensor> TaskGradients::shared_total() {
    std::vector<torch::Tensor> sum;
    for (const auto& gradient : feature_gradients_[0]) sum.push_back(weighted(gradient, 0));
    const auto add = [&sum](size_t m, const torch::Tensor& more) {
        if (more.defined()) sum[m] = sum[m].defined() ? sum[m] + more : more;
    };
    for (size_t t = 1; t < feature_gradients_.size(); ++t)
        for (size_t m = 0; m < sum.size(); ++m) add(m, weighted(feature_gradients_[t][m], t));
    for (size_t m = 0; m < of_feature_loss_.size(); ++m) add(m, of_feature_loss_[m]);
    return backward(sum);
}

std::vector<torch::Tensor> TaskGradients::of_feature_loss() {
    return of_feature_loss_.empty() ? of_feature_loss_ : backward(of_feature_loss_);
}

void TaskGradients::store(const std::vector<torch::Tensor>& shared) {
    for (size_t i = 0; i < shared_count_; ++i) shared_inputs_[i].mutable_grad() = shared.at(i);
    for (size_t t = 0; t < own_gradients_.size(); ++t) {
        const auto gradients = own_of_total(t);
        for (size_t i = 0; i < gradients.size(); ++i) own_parameters_[t][i].mutable_grad() = gradients[i];
    }
}

void TaskGradients::add(const std::vector<torch::Tensor>& shared, const std::vector<size_t>& tasks) {
    for (size_t i = 0; i < shared_count_; ++i) add_gradient(shared_inputs_[i], shared.at(i));
    for (const size_t t : tasks) {
        const auto gradients = own_of_total(t);
        for (size_t i = 0; i < gradients.size(); ++i) add_gradient(own_parameters_[t][i], gradients[i]);
    }
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
