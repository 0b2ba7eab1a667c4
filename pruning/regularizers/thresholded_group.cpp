#include "pruning/regularizers/thresholded_group.h"

#include <torch/utils.h>

#include <algorithm>

namespace mtlprune {
namespace {

/// Just below the norm that must survive a threshold ends.
constexpr double kBelow = 1.0 - 1e-6;

}  // namespace

ThresholdedGroup::ThresholdedGroup(const RegularizedGroup& group, double threshold, int64_t floor)
    : group_(group) {
    for (const auto& slices : group.filters) {
        weights_ += slices.weights;
        norms_ = norms_.defined() ? norms_ + slices.sums(2) : slices.sums(2);
    }
    norms_ = (norms_ / static_cast<double>(weights_)).sqrt();
    tau_ = torch::full({}, threshold, norms_.options());
    if (const int64_t least = std::min(floor, group.channels); least > 0)
        tau_ = torch::minimum(tau_, std::get<0>(norms_.topk(least)).min() * kBelow);
    lowered_ = tau_ < threshold;
    factors_ = torch::where(norms_ > tau_, 1.0 - tau_ / norms_, torch::zeros_like(norms_));
}

void ThresholdedGroup::apply() const {
    for (const auto& slices : group_.filters)
        torch::Tensor(slices.parameter).mul_(1.0 + slices.spread(factors_ - 1.0));
}

torch::Tensor ThresholdedGroup::through() const {
    const auto zero = torch::zeros_like(norms_), alive = factors_ > 0.0;
    auto dots = zero;
    for (const auto& slices : group_.filters)
        if (const auto& gradient = slices.parameter.grad(); gradient.defined())
            dots = dots + slices.rows(slices.parameter * gradient).sum(1, false, torch::kDouble);
    const auto along =
        torch::where(alive, dots * tau_ / (norms_.pow(3) * static_cast<double>(weights_)), zero);
    for (const auto& slices : group_.filters)
        if (auto& gradient = slices.parameter.mutable_grad(); gradient.defined())
            gradient =
                gradient * (1.0 + slices.spread(factors_ - 1.0)) + slices.parameter * slices.spread(along);
    const auto of_tau = torch::where(alive & ~lowered_, -dots / norms_, zero).sum();
    return torch::stack({(~alive).sum().to(torch::kDouble), of_tau});
}

}  // namespace mtlprune
