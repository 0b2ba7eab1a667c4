// Scores summed over the first mini-batches, then one vote.
#include <fmt/format.h>
#include <torch/utils.h>

#include "pruning/masks/disparse.h"

namespace mtlprune {
namespace {

std::string sum_name(size_t task, size_t weight) {
    return fmt::format("sum.{}.{}", task, weight);
}

}  // namespace

void ScoredMasking::begin(const MaskingStart& start) {
    masks_ = WeightMasks::all_kept(start.weights);
    tasks_.clear();
    sums_.clear();
    for (const auto& task : start.tasks) {
        tasks_.push_back(task.name);
        sums_.emplace_back(start.weights.size());
        for (const size_t i : reached_by(start.weights, task.name))
            sums_.back()[i] = torch::zeros_like(start.weights[i].parameter.detach());
    }
    if (start.iterations <= batches_ && batches_ > 0)
        throw Error("weight masking", "batches",
                    fmt::format("fewer than the {} iterations", start.iterations), std::to_string(batches_));
    if (batches_ > 0) return;
    decide_now(start.weights);
    zero_weights(start.weights, masks_);
}

void ScoredMasking::after_gradients(MaskingGradients& step) {
    if (scores(step.iteration)) {
        const auto scores = of_iteration(step);
        for (size_t t = 0; t < sums_.size(); ++t)
            for (size_t i = 0; i < sums_[t].size(); ++i)
                if (sums_[t][i].defined()) sums_[t][i] += scores[t][i];
    }
    if (step.iteration + 1 == batches_) {
        decide_now(step.weights);
        zero_masked(step.trainer, step.weights, masks_);
    }
    zero_masked_gradients(step.weights, masks_);
}

void ScoredMasking::decide_now(const std::vector<MaskableWeight>& weights) {
    finish(weights, sums_);
    masks_ = decide(weights, tasks_, sums_, options_);
    sums_.clear();
}

TensorMap ScoredMasking::state() const {
    auto state = with_prefix("kept.", masks_.state());
    for (size_t t = 0; t < sums_.size(); ++t)
        for (size_t i = 0; i < sums_[t].size(); ++i)
            if (sums_[t][i].defined()) state[sum_name(t, i)] = sums_[t][i];
    return state;
}

void ScoredMasking::load_state(const TensorMap& state) {
    masks_.load_state(entries_of("kept.", state), "checkpoint");
    if (entries_of("sum.", state).empty()) sums_.clear();
    for (size_t t = 0; t < sums_.size(); ++t)
        for (size_t i = 0; i < sums_[t].size(); ++i)
            if (sums_[t][i].defined()) sums_[t][i].copy_(state.at(sum_name(t, i)));
}

}  // namespace mtlprune
