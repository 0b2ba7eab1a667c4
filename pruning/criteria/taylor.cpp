#include "pruning/criteria/taylor.h"

namespace mtlprune {

torch::Tensor gate_gradient(const GroupObservation& group) {
    torch::Tensor sum;
    for (const auto& producer : group.producers) {
        auto term = (producer.weight * producer.weight_gradient).flatten(1).sum(1, false, torch::kDouble);
        if (producer.bias.defined()) term = term + producer.bias * producer.bias_gradient;
        sum = sum.defined() ? sum + term : term;
    }
    return sum;
}

void TaylorCriterion::observe(const std::vector<GroupObservation>& groups) {
    torch::NoGradGuard no_grad;
    std::vector<torch::Tensor> contributions;
    for (size_t g = 0; g < groups.size(); ++g) {
        torch::Tensor gradient;
        if (options_.accumulate_gate_gradients) {
            const auto now = 2.0 * groups[g].gate_gradient;
            if (gate_history_.size() <= g) gate_history_.push_back(torch::zeros_like(now));
            gradient = gate_history_[g].add_(now);
        } else {
            gradient = gate_gradient(groups[g]);
        }
        contributions.push_back(gradient.square());
    }
    mean_.add(contributions);
}

void TaylorCriterion::observe_update(const std::vector<torch::Tensor>& gate_gradients) {
    torch::NoGradGuard no_grad;
    for (size_t g = 0; g < gate_history_.size(); ++g) gate_history_[g].add_(gate_gradients.at(g));
}

void TaylorCriterion::after_event(const std::vector<torch::Tensor>& kept) {
    if (options_.window) mean_.reset();
    mean_.select(kept);
    for (size_t g = 0; g < kept.size() && g < gate_history_.size(); ++g)
        gate_history_[g] = gate_history_[g].index_select(0, kept[g].to(gate_history_[g].device()));
}

std::map<std::string, torch::Tensor> TaylorCriterion::state() const {
    std::map<std::string, torch::Tensor> state;
    mean_.save(state);
    for (size_t g = 0; g < gate_history_.size(); ++g) state["gate." + std::to_string(g)] = gate_history_[g];
    return state;
}

void TaylorCriterion::load_state(const std::map<std::string, torch::Tensor>& state) {
    mean_.load(state);
    gate_history_.clear();
    for (size_t g = 0; state.count("gate." + std::to_string(g)) > 0; ++g)
        gate_history_.push_back(state.at("gate." + std::to_string(g)).clone());
}

}  // namespace mtlprune
