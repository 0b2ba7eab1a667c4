#include "pruning/regularizers/increg_units.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mtlprune {
namespace {

/// Position of every value in ascending order, ties by index.
torch::Tensor ranks_of(const torch::Tensor& values) {
    const auto order = std::get<1>(values.sort(/*stable=*/true, 0, /*descending=*/false));
    return torch::empty_like(order).index_copy_(0, order, torch::arange(order.numel())).to(torch::kDouble);
}

}  // namespace

torch::Tensor increg_change(const torch::Tensor& ranks, int64_t missing, double progress,
                            const IncRegCurve& curve) {
    const auto m = static_cast<double>(missing);
    if (curve.scheme == 1) {
        const double a = std::log(2.0 / curve.u) / m, middle = -std::log(curve.u) / a;
        return curve.step * torch::where(ranks < middle, torch::exp(-a * ranks),
                                         2.0 * curve.u - torch::exp(-a * (2.0 * middle - ranks)));
    }
    const int64_t units = ranks.numel();
    const double fall = -std::log(std::max(0.75 * progress, 0.05));
    const double growing = missing == 1 ? 0.0 : fall / (m - 1.0);
    const double shrinking = missing >= units - 1 ? 0.0 : fall / static_cast<double>(units - 1 - missing);
    const auto from_top = static_cast<double>(units - 1) - ranks;
    return curve.step *
           torch::where(ranks < m, torch::exp(-growing * ranks), -torch::exp(-shrinking * from_top));
}

void IncRegUnits::begin(int64_t channels) {
    lambda = torch::zeros({channels}, torch::kDouble);
    mean_rank = torch::zeros({channels}, torch::kDouble);
    pruned = torch::zeros({channels}, torch::kBool);
    zeroed = pruned.clone();
}

torch::Tensor IncRegUnits::ranks() const {
    return ranks_of(mean_rank.masked_fill(pruned, -std::numeric_limits<double>::infinity()));
}

void IncRegUnits::update(const torch::Tensor& scores, const IncRegCurve& curve, double target) {
    ++updates;
    const auto n = static_cast<double>(updates);
    const auto rank = ranks_of(scores.masked_fill(pruned, -std::numeric_limits<double>::infinity()));
    mean_rank = torch::where(pruned, mean_rank, ((n - 1.0) * mean_rank + rank) / n);
    const auto done = pruned.sum().item<int64_t>();
    const int64_t missing = wanted - done;
    if (missing <= 0) return;
    const auto present = (~pruned).nonzero().flatten();
    const auto of_present = ranks().index_select(0, present) - static_cast<double>(done);
    const double progress = static_cast<double>(done) / static_cast<double>(wanted);
    lambda.index_add_(0, present, increg_change(of_present, missing, progress, curve));
    lambda.clamp_(0.0);
    // The weakest first: never more than are wanted.
    const auto reached =
        (lambda.index_select(0, present) >= target) & (of_present < static_cast<double>(missing));
    pruned.index_fill_(0, present.masked_select(reached), 1);
}

void IncRegUnits::select(const torch::Tensor& kept) {
    for (auto* tensor : {&lambda, &mean_rank, &pruned, &zeroed}) *tensor = tensor->index_select(0, kept);
    wanted = -1;
}

void IncRegUnits::save(std::map<std::string, torch::Tensor>& state, size_t number) const {
    const auto suffix = "." + std::to_string(number);
    state["lambda" + suffix] = lambda;
    state["mean_rank" + suffix] = mean_rank;
    state["pruned" + suffix] = pruned;
    state["counts" + suffix] = torch::tensor({wanted, updates});
}

bool IncRegUnits::load(const std::map<std::string, torch::Tensor>& state, size_t number) {
    const auto suffix = "." + std::to_string(number);
    if (state.count("lambda" + suffix) == 0) return false;
    lambda = state.at("lambda" + suffix).clone();
    mean_rank = state.at("mean_rank" + suffix).clone();
    pruned = state.at("pruned" + suffix).clone();
    zeroed = pruned.clone();
    const auto counts = state.at("counts" + suffix);
    wanted = counts[0].item<int64_t>();
    updates = counts[1].item<int64_t>();
    return true;
}

}  // namespace mtlprune
