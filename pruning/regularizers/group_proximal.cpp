#include "pruning/regularizers/group_proximal.h"

#include <limits>

namespace mtlprune {
namespace {

constexpr int kMostNewtonSteps = 100;
constexpr double kNewtonTolerance = 1e-12;

torch::Tensor row_norms(const torch::Tensor& rows) {
    return at::linalg_vector_norm(rows, 2, at::IntArrayRef{1});
}

/// theta = ||x|| > 0 of rows that do not vanish: the root of sum_i y_i^2 / (theta + mu / D_i)^2 - 1, convex
/// and falling, by Newton's method from the left.
torch::Tensor norms_of_minimum(const torch::Tensor& y, const torch::Tensor& metric, double mu) {
    const auto shift = mu / metric;
    // Two lower bounds of the root.
    const auto by_largest = (row_norms(metric * y) - mu) / metric.amax(1);
    const auto by_smallest = row_norms(y) - mu / metric.amin(1);
    auto theta = torch::maximum(by_largest, by_smallest).clamp_min(std::numeric_limits<double>::min());
    for (int step = 0; step < kMostNewtonSteps; ++step) {
        const auto shifted = theta.unsqueeze(1) + shift;
        const auto terms = (y / shifted).square();
        const auto value = terms.sum(1) - 1.0;
        theta = theta + 0.5 * value / (terms / shifted).sum(1);
        if (value.abs().max().item<double>() < kNewtonTolerance) break;
    }
    return theta;
}

}  // namespace

torch::Tensor group_proximal(const torch::Tensor& y, const torch::Tensor& metric, double strength) {
    if (strength == 0.0) return y.to(torch::kDouble);
    const auto all = y.to(torch::kDouble), weights = metric.to(torch::kDouble);
    const auto alive = (row_norms(weights * all) > strength).nonzero().flatten();
    auto x = torch::zeros_like(all);
    if (alive.numel() == 0 || y.size(1) == 0) return x;
    const auto rows = all.index_select(0, alive), of_rows = weights.index_select(0, alive);
    const auto scaled = of_rows * norms_of_minimum(rows, of_rows, strength).unsqueeze(1);
    return x.index_copy_(0, alive, rows * scaled / (scaled + strength));
}

}  // namespace mtlprune
