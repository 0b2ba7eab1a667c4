#include "pruning/evidence/mean_gradients.h"

#include <torch/utils.h>

#include <set>

#include "base/error.h"

namespace mtlprune {
namespace {

/// "mean_gradient.<task>.<parameter>"
const std::string kMeanGradient = "mean_gradient.";

}  // namespace

std::vector<torch::Tensor> MeanGradients::gradients_of(const Evidence& batch,
                                                       const std::string& tensor) const {
    if (per_task_) {
        const auto found = batch.task_gradients.find(tensor);
        return found == batch.task_gradients.end() ? std::vector<torch::Tensor>{} : found->second;
    }
    const auto found = batch.gradients.find(tensor);
    return found == batch.gradients.end() ? std::vector<torch::Tensor>{} : std::vector{found->second};
}

void MeanGradients::add(const Evidence& batch, const std::vector<const Member*>& members) {
    const torch::NoGradGuard no_grad;
    std::set<std::string> tensors;
    for (const auto* member : members) tensors.insert(member->tensor);
    for (const auto& tensor : tensors) {
        const auto gradients = gradients_of(batch, tensor);
        if (gradients.empty()) continue;
        auto& sums = sums_[tensor];
        sums.resize(gradients.size());
        for (size_t t = 0; t < gradients.size(); ++t) add(sums[t], gradients[t], batch.lasting_gradients);
    }
    ++count_;
}

void MeanGradients::add(Sum& sum, const torch::Tensor& gradient, bool lasting) {
    const auto type = torch::promoteTypes(gradient.scalar_type(), torch::kFloat);
    if (!sum.value.defined()) {
        sum.ours = !lasting || type != gradient.scalar_type();
        sum.value = gradient.to(type, /*non_blocking=*/false, /*copy=*/sum.ours);
        return;
    }
    sum.value = sum.ours ? sum.value.add_(gradient) : sum.value + gradient;
    sum.ours = true;
}

GradientLists MeanGradients::means(const std::string& criterion) const {
    const torch::NoGradGuard no_grad;
    if (count_ == 0)
        throw Error("criterion " + criterion, "scores", "at least one observed mini-batch", "none");
    GradientLists means;
    for (const auto& [tensor, sums] : sums_)
        for (const auto& sum : sums)
            means[tensor].push_back(count_ == 1 ? sum.value : sum.value / static_cast<double>(count_));
    return means;
}

void MeanGradients::reset() {
    sums_.clear();
    count_ = 0;
}

void MeanGradients::save(std::map<std::string, torch::Tensor>& state) const {
    state["mean_gradients"] = torch::tensor(count_);
    for (const auto& [tensor, sums] : sums_)
        for (size_t t = 0; t < sums.size(); ++t)
            state[kMeanGradient + std::to_string(t) + "." + tensor] = sums[t].value;
}

void MeanGradients::load(const std::map<std::string, torch::Tensor>& state) {
    reset();
    count_ = state.at("mean_gradients").item<int64_t>();
    for (const auto& [name, tensor] : state) {
        if (name.rfind(kMeanGradient, 0) != 0) continue;
        const size_t dot = name.find('.', kMeanGradient.size());
        const size_t task = std::stoul(name.substr(kMeanGradient.size(), dot - kMeanGradient.size()));
        auto& sums = sums_[name.substr(dot + 1)];
        if (sums.size() <= task) sums.resize(task + 1);
        sums[task] = {tensor.clone(), true};
    }
}

}  // namespace mtlprune
