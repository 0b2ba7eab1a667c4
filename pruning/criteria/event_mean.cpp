#include "pruning/criteria/event_mean.h"

#include <torch/utils.h>

#include "base/error.h"

namespace mtlprune {

std::vector<Option> mean_options() {
    return {{"window", true, "mean over the mini-batches since the last event (false: since the start)"},
            {"momentum", 0.0, "share of the last event's score that stays (the released engine: 0.9)"}};
}

MeanOptions read_mean_options(const nlohmann::json& options) {
    const MeanOptions read{options.at("window").get<bool>(), options.at("momentum").get<double>()};
    if (read.momentum < 0 || read.momentum >= 1)
        throw Error("option", "momentum", "a number of at least 0 and less than 1",
                    std::to_string(read.momentum));
    if (read.momentum > 0 && !read.window)
        throw Error("option", "momentum", "window=true beside it", "window=false");
    return read;
}

std::vector<torch::Tensor> EventMean::means(const std::string& criterion) const {
    auto means = mean_.means(criterion);
    for (size_t g = 0; g < last_.size(); ++g)
        means[g] = options_.momentum * last_[g] + (1.0 - options_.momentum) * means[g];
    return means;
}

void EventMean::after_event(const std::vector<torch::Tensor>& kept) {
    const torch::NoGradGuard no_grad;
    if (options_.momentum > 0 && !mean_.empty()) last_ = means("momentum");
    for (size_t g = 0; g < last_.size(); ++g)
        last_[g] = last_[g].index_select(0, kept.at(g).to(last_[g].device()));
    if (options_.window) mean_.reset();
    mean_.select(kept);
}

void EventMean::save(std::map<std::string, torch::Tensor>& state) const {
    mean_.save(state);
    for (size_t g = 0; g < last_.size(); ++g) state["last." + std::to_string(g)] = last_[g];
}

void EventMean::load(const std::map<std::string, torch::Tensor>& state) {
    mean_.load(state);
    last_.clear();
    for (size_t g = 0; state.count("last." + std::to_string(g)) > 0; ++g)
        last_.push_back(state.at("last." + std::to_string(g)).clone());
}

void MeanCriterion::observe(const Evidence& batch) {
    const torch::NoGradGuard no_grad;
    mean_.add(contributions(batch));
}

std::map<std::string, torch::Tensor> MeanCriterion::state() const {
    std::map<std::string, torch::Tensor> state;
    mean_.save(state);
    return state;
}

std::vector<torch::Tensor> GroupwiseMean::contributions(const Evidence& batch) {
    std::vector<torch::Tensor> all;
    all.reserve(batch.asked().size());
    for (size_t i = 0; i < batch.asked().size(); ++i) all.push_back(contribution(batch, i));
    return all;
}

}  // namespace mtlprune
