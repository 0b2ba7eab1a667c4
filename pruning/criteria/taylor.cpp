#include "pruning/criteria/taylor.h"

#include <torch/utils.h>

namespace mtlprune {
namespace {

/// Score = mean over mini-batches of (dL/dgate)^2 at gate = 1, with L the sum of the task losses.
class Taylor : public Criterion {
  public:
    Taylor(bool window, bool accumulate) : window_(window), accumulate_(accumulate) {}

    Needs needs() const override { return {.gradients = true, .gates = accumulate_}; }

    void observe(const Evidence& batch) override {
        const torch::NoGradGuard no_grad;
        std::vector<torch::Tensor> contributions;
        for (size_t i = 0; i < batch.asked().size(); ++i)
            contributions.push_back((accumulate_ ? accumulated(batch, i) : gate_gradient(batch, i)).square());
        mean_.add(contributions);
    }

    void observe_update(const std::vector<torch::Tensor>& gate_gradients) override {
        const torch::NoGradGuard no_grad;
        for (size_t g = 0; g < history_.size(); ++g) history_[g].add_(gate_gradients.at(g));
    }

    Scores scores(const Evidence& now) const override { return mean_.mean("taylor", now); }

    void after_event(const std::vector<torch::Tensor>& kept) override {
        if (window_) mean_.reset();
        mean_.select(kept);
        for (size_t g = 0; g < kept.size() && g < history_.size(); ++g)
            history_[g] = history_[g].index_select(0, kept[g].to(history_[g].device()));
    }

    std::map<std::string, torch::Tensor> state() const override {
        std::map<std::string, torch::Tensor> state;
        mean_.save(state);
        for (size_t g = 0; g < history_.size(); ++g) state["gate." + std::to_string(g)] = history_[g];
        return state;
    }

    void load_state(const std::map<std::string, torch::Tensor>& state) override {
        mean_.load(state);
        history_.clear();
        for (size_t g = 0; state.count("gate." + std::to_string(g)) > 0; ++g)
            history_.push_back(state.at("gate." + std::to_string(g)).clone());
    }

  private:
    torch::Tensor accumulated(const Evidence& batch, size_t i) {
        const auto now = 2.0 * batch.gate_gradients.at(i);
        if (history_.size() <= i) history_.push_back(torch::zeros_like(now));
        return history_[i].add_(now);
    }

    bool window_, accumulate_;
    ScoreMean mean_;
    std::vector<torch::Tensor> history_;  ///< what the released gates' .grad holds
};

}  // namespace

torch::Tensor gate_gradient(const Evidence& batch, size_t i) {
    const size_t number = batch.asked().at(i);
    const auto& group = batch.groups()[number];
    torch::Tensor sum;
    for (const Member* member : batch.gate_members(number)) {
        const auto found = batch.gradients.find(member->tensor);
        if (found == batch.gradients.end()) continue;
        const auto product = Evidence::rows(*member, batch.value(group, *member).detach()) *
                             Evidence::rows(*member, found->second);
        const auto term = product.dim() > 1 ? product.flatten(1).sum(1, false, torch::kDouble) : product;
        sum = sum.defined() ? sum + term : term;
    }
    if (!sum.defined())
        throw Error("criterion taylor", "group " + group.name, "gradients of its producers", "none");
    return sum.to(torch::kDouble);
}

Registry<Criterion>::Entry taylor_criterion() {
    return {
        {.key = "taylor",
         .summary = "squared gradient of a gate on the channel, mean over mini-batches",
         .paper = "Molchanov et al., Importance Estimation for Neural Network Pruning, CVPR 2019 (gate form)",
         .options = {{"window", true,
                      "mean over the mini-batches since the last event (false: since the start)"},
                     {"accumulate_gates", false,
                      "never clear the gates' gradients: at iteration k read 3 sum_{j<k} G_j + 2 G_k"}},
         .as_released = {{"window", false}, {"accumulate_gates", true}}},
        [](const nlohmann::json& options) {
            return std::make_unique<Taylor>(options.at("window").get<bool>(),
                                            options.at("accumulate_gates").get<bool>());
        }};
}

}  // namespace mtlprune
