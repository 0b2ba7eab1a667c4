#include "pruning/masks/stored_weights.h"

#include <torch/utils.h>

#include "base/error.h"

namespace mtlprune {

void StoredWeights::begin(const std::vector<MaskableWeight>& weights) {
    names_.clear();
    values_.clear();
    for (const auto& weight : weights) {
        names_.push_back(weight.name);
        values_.push_back(weight.parameter.detach().clone());
    }
}

void StoredWeights::show(const std::vector<MaskableWeight>& weights) const {
    const torch::NoGradGuard no_grad;
    for (size_t i = 0; i < values_.size(); ++i) torch::Tensor(weights.at(i).parameter).copy_(values_[i]);
}

void StoredWeights::take(const std::vector<MaskableWeight>& weights, const Effective& effective) {
    const torch::NoGradGuard no_grad;
    for (size_t i = 0; i < values_.size(); ++i) {
        values_[i].copy_(weights.at(i).parameter);
        torch::Tensor(weights[i].parameter).copy_(effective(i, values_[i]));
    }
}

TensorMap StoredWeights::state() const {
    TensorMap state;
    for (size_t i = 0; i < values_.size(); ++i) state[names_[i]] = values_[i];
    return state;
}

void StoredWeights::load_state(const TensorMap& state) {
    const torch::NoGradGuard no_grad;
    for (size_t i = 0; i < values_.size(); ++i) {
        const auto found = state.find(names_[i]);
        if (found == state.end() || found->second.sizes() != values_[i].sizes())
            throw Error("checkpoint", "stored weights: " + names_[i], "a tensor of the parameter's shape",
                        found == state.end() ? "nothing" : "another shape");
        values_[i].copy_(found->second);
    }
}

}  // namespace mtlprune
