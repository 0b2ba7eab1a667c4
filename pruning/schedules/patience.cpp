#include "pruning/schedules/patience.h"

#include <torch/utils.h>

#include <algorithm>

namespace mtlprune {

void Patience::add(const torch::Tensor& losses) {
    const auto of_batch = losses.detach().to(torch::kDouble).sum();
    sum_ = sum_.defined() ? sum_ + of_batch.to(sum_.device()) : of_batch;
    ++count_;
}

double Patience::mean() const {
    return sum_.item<double>() / static_cast<double>(count_);
}

void Patience::end_window() {
    stale_ = stale_now();
    if (count_ > 0 && mean() < best_) best_ = mean();
    sum_ = torch::Tensor();
    count_ = 0;
}

void Patience::start_again() {
    best_ = std::numeric_limits<double>::infinity();
    stale_ = 0;
}

TensorMap Patience::state() const {
    return {{"sum", torch::tensor(sum_.defined() ? sum_.item<double>() : 0.0, torch::kDouble)},
            {"count", torch::tensor(count_)},
            {"best", torch::tensor(best_, torch::kDouble)},
            {"stale", torch::tensor(stale_)}};
}

void Patience::load_state(const TensorMap& state) {
    count_ = state.at("count").item<int64_t>();
    sum_ = count_ > 0 ? state.at("sum").clone() : torch::Tensor();
    best_ = state.at("best").item<double>();
    stale_ = state.at("stale").item<int64_t>();
}

}  // namespace mtlprune
