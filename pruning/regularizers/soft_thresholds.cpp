#include "pruning/regularizers/soft_thresholds.h"

#include <torch/utils.h>

namespace mtlprune {

void SoftThresholds::begin(int64_t parts) {
    if (!s_.defined()) s_ = torch::full({parts}, start_, torch::kDouble).set_requires_grad(true);
}

torch::Tensor SoftThresholds::values() const {
    return s_.detach().sigmoid();
}

void SoftThresholds::step(const torch::Tensor& tau_gradients, const OptimizerConfig& optimizer,
                          double learning_rate) {
    const torch::NoGradGuard no_grad;
    if (!optimizer_) {
        optimizer_ = make_optimizer({s_}, optimizer);
        if (!moments_.empty()) load_optimizer_state(*optimizer_, {"s"}, moments_);
        moments_.clear();
    }
    set_learning_rate(*optimizer_, learning_rate);
    const auto tau = values();
    s_.mutable_grad() = tau_gradients * tau * (1.0 - tau);
    optimizer_->step();
}

TensorMap SoftThresholds::state() const {
    if (!s_.defined()) return {};
    auto state = optimizer_ ? optimizer_state(*optimizer_, {"s"}) : moments_;
    state["s"] = s_.detach();
    return state;
}

void SoftThresholds::load_state(const TensorMap& state) {
    const torch::NoGradGuard no_grad;
    s_ = torch::Tensor();
    optimizer_.reset();
    moments_.clear();
    for (const auto& [name, tensor] : state) {
        if (name == "s") s_ = tensor.clone().set_requires_grad(true);
        if (name.rfind("s.", 0) == 0) moments_[name] = tensor.clone();
    }
}

std::string part_of(const std::string& parameter) {
    const std::string heads = "heads.";
    if (parameter.rfind(heads, 0) != 0) return "";
    return parameter.substr(0, parameter.find('.', heads.size()));
}

}  // namespace mtlprune
