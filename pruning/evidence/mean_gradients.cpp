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
        for (size_t t = 0; t < gradients.size(); ++t) {
            const auto type = torch::promoteTypes(gradients[t].scalar_type(), torch::kFloat);
            sums[t] = sums[t].defined() ? sums[t].add_(gradients[t]) : gradients[t].to(type, false, true);
        }
    }
    ++count_;
}

GradientLists MeanGradients::means(const std::string& criterion) const {
    const torch::NoGradGuard no_grad;
    if (count_ == 0)
        throw Error("criterion " + criterion, "scores", "at least one observed mini-batch", "none");
    GradientLists means;
    for (const auto& [tensor, sums] : sums_)
        for (const auto& sum : sums)
            means[tensor].push_back(count_ == 1 ? sum : sum / static_cast<double>(count_));
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
            state[kMeanGradient + std::to_string(t) + "." + tensor] = sums[t];
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
        sums[task] = tensor.clone();
    }
}

}  // namespace mtlprune
