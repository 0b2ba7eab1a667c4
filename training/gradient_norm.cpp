#include "training/gradient_norm.h"

#include <torch/utils.h>

namespace mtlprune {

torch::Tensor global_norm(const std::vector<torch::Tensor>& gradients) {
    const torch::NoGradGuard no_grad;
    std::vector<torch::Tensor> defined;
    for (const auto& gradient : gradients)
        if (gradient.defined()) defined.push_back(gradient);
    if (defined.empty()) return torch::zeros({}, torch::kDouble);
    return torch::stack(at::_foreach_norm(defined, 2)).to(torch::kDouble).norm();
}

void clip_gradients(const std::vector<torch::Tensor>& parameters, double limit) {
    const torch::NoGradGuard no_grad;
    std::vector<torch::Tensor> gradients;
    for (const auto& parameter : parameters) gradients.push_back(parameter.grad());
    const auto factor = (limit / (global_norm(gradients) + 1e-6)).clamp_max(1.0);
    for (const auto& parameter : parameters) {
        auto& gradient = parameter.mutable_grad();
        if (gradient.defined()) gradient = gradient * factor.to(gradient.scalar_type());
    }
}

}  // namespace mtlprune
