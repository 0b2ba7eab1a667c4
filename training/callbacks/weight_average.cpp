#include "training/callbacks/weight_average.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>

#include "base/error.h"
#include "training/trainer.h"

namespace mtlprune {

WeightAverage::WeightAverage(ModelPtr model, double decay) : decay_(decay) {
    if (!(decay >= 0.0 && decay < 1.0))
        throw Error("configuration", "ema_decay", "a number in [0, 1)", fmt::format("{}", decay));
    for (const auto& item : model->named_parameters()) {
        names_.push_back(item.key());
        parameters_.push_back(item.value());
        averages_.push_back(item.value().detach().clone());
    }
}

double WeightAverage::next_decay() const {
    const auto n = static_cast<double>(updates_);
    return std::min(decay_, (1.0 + n) / (10.0 + n));
}

void WeightAverage::after_step(Trainer&) {
    const torch::NoGradGuard no_grad;
    for (size_t i = 0; i < averages_.size(); ++i)
        if (averages_[i].sizes() != parameters_[i].sizes())
            throw Error("average of weights", names_[i], "channels that left with Trainer::slice_state()",
                        "another shape");
    const double decay = next_decay();
    at::_foreach_mul_(averages_, decay);
    at::_foreach_add_(averages_, parameters_, 1.0 - decay);
    ++updates_;
}

/// Whoever holds a parameter sees the exchanged values.
void WeightAverage::swap(Trainer&) {
    const torch::NoGradGuard no_grad;
    for (size_t i = 0; i < averages_.size(); ++i) {
        const auto trained = parameters_[i].detach();
        parameters_[i].set_data(averages_[i]);
        averages_[i] = trained;
    }
}

torch::Tensor& WeightAverage::average_of(const torch::Tensor& parameter) {
    for (size_t i = 0; i < parameters_.size(); ++i)
        if (parameters_[i].is_same(parameter)) return averages_[i];
    throw Error("average of weights", "pruning", "a parameter of the trainer's model", "another one");
}

void WeightAverage::on_slice(const torch::Tensor& parameter, int64_t dim, const torch::Tensor& kept) {
    auto& average = average_of(parameter);
    average =
        average.index_select(dim, kept.to(average.device())).contiguous(average.suggest_memory_format());
}

void WeightAverage::on_zero(const torch::Tensor& parameter, int64_t dim, const torch::Tensor& indices) {
    auto& average = average_of(parameter);
    average.index_fill_(dim, indices.to(average.device()), 0);
}

void WeightAverage::on_mask(const torch::Tensor& parameter, const torch::Tensor& kept) {
    auto& average = average_of(parameter);
    average.masked_fill_(kept.to(average.device()).logical_not(), 0);
}

TensorMap WeightAverage::state() const {
    TensorMap state;
    for (size_t i = 0; i < names_.size(); ++i) state["weights." + names_[i]] = averages_[i];
    state["updates"] = torch::tensor(updates_);
    return state;
}

void WeightAverage::load_state(const TensorMap& state) {
    const torch::NoGradGuard no_grad;
    const auto updates = state.find("updates");
    if (updates == state.end()) throw Error("checkpoint", "average.updates", "a number", "nothing");
    for (size_t i = 0; i < names_.size(); ++i) {
        const auto found = state.find("weights." + names_[i]);
        if (found == state.end() || found->second.sizes() != parameters_[i].sizes())
            throw Error("checkpoint", "average.weights." + names_[i], "a tensor of the parameter's shape",
                        found == state.end() ? "nothing" : "another shape");
        averages_[i] = parameters_[i].detach().clone().copy_(found->second);
    }
    updates_ = updates->second.item<int64_t>();
}

}  // namespace mtlprune
