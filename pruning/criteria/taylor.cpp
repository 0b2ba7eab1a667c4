#include "pruning/criteria/taylor.h"

#include <torch/utils.h>

#include "pruning/criteria/event_mean.h"

namespace mtlprune {
namespace {

/// Score = mean over mini-batches of (dL/dgate)^2 at gate = 1, with L the sum of the task losses.
class Taylor : public GroupwiseMean {
  public:
    Taylor(MeanOptions mean, bool accumulate) : GroupwiseMean("taylor", mean), accumulate_(accumulate) {}

    Needs needs() const override { return {.gradients = true, .gates = accumulate_}; }

    void observe_update(const std::vector<torch::Tensor>& gate_gradients) override {
        const torch::NoGradGuard no_grad;
        for (size_t g = 0; g < history_.size(); ++g) history_[g].add_(gate_gradients.at(g));
    }

    void after_event(const std::vector<torch::Tensor>& kept) override {
        MeanCriterion::after_event(kept);
        for (size_t g = 0; g < kept.size() && g < history_.size(); ++g)
            history_[g] = history_[g].index_select(0, kept[g].to(history_[g].device()));
    }

    std::map<std::string, torch::Tensor> state() const override {
        auto state = MeanCriterion::state();
        for (size_t g = 0; g < history_.size(); ++g) state["gate." + std::to_string(g)] = history_[g];
        return state;
    }

    void load_state(const std::map<std::string, torch::Tensor>& state) override {
        MeanCriterion::load_state(state);
        history_.clear();
        for (size_t g = 0; state.count("gate." + std::to_string(g)) > 0; ++g)
            history_.push_back(state.at("gate." + std::to_string(g)).clone());
    }

  protected:
    torch::Tensor contribution(const Evidence& batch, size_t i) override {
        return (accumulate_ ? accumulated(batch, i) : gate_gradient(batch, i)).square();
    }

  private:
    torch::Tensor accumulated(const Evidence& batch, size_t i) {
        const auto now = 2.0 * batch.gate_gradients.at(i);
        if (history_.size() <= i) history_.push_back(torch::zeros_like(now));
        return history_[i].add_(now);
    }

    bool accumulate_;
    std::vector<torch::Tensor> history_;  ///< what the released gates' .grad holds
};

/// Undefined when no gradient is known; `gradient_of` gives null for one that is not.
template <typename GradientOf>
torch::Tensor sum_over_gate_members(const Evidence& batch, size_t number, const GradientOf& gradient_of) {
    const auto& group = batch.groups()[number];
    torch::Tensor sum;
    for (const Member* member : batch.gate_members(number)) {
        const torch::Tensor* gradient = gradient_of(member->tensor);
        if (gradient == nullptr) continue;
        const auto term = slice_gradient(batch, group, *member, *gradient);
        sum = sum.defined() ? sum + term : term;
    }
    return sum.defined() ? sum.to(torch::kDouble) : sum;
}

}  // namespace

torch::Tensor weight_times_gradient(const Evidence& batch, const Group& group, const Member& member,
                                    const torch::Tensor& gradient) {
    return Evidence::rows(member, batch.value(group, member).detach()) * Evidence::rows(member, gradient);
}

torch::Tensor slice_gradient(const Evidence& batch, const Group& group, const Member& member,
                             const torch::Tensor& gradient) {
    const auto product = weight_times_gradient(batch, group, member, gradient);
    return product.dim() > 1 ? Evidence::row_sums(product) : product;
}

torch::Tensor gate_gradient(const Evidence& batch, size_t i) {
    const size_t number = batch.asked().at(i);
    const auto gradient = sum_over_gate_members(batch, number, [&](const std::string& tensor) {
        const auto found = batch.gradients.find(tensor);
        return found == batch.gradients.end() ? nullptr : &found->second;
    });
    if (!gradient.defined())
        throw Error("criterion taylor", "group " + batch.groups()[number].name, "gradients of its producers",
                    "none");
    return gradient;
}

torch::Tensor task_gate_gradients(const Evidence& batch, size_t i, const std::string& criterion) {
    const size_t number = batch.asked().at(i);
    const size_t tasks = batch.task_gradients.empty() ? 0 : batch.task_gradients.begin()->second.size();
    std::vector<torch::Tensor> gradients;
    for (size_t t = 0; t < tasks; ++t) {
        const auto gradient = sum_over_gate_members(batch, number, [&](const std::string& tensor) {
            const auto found = batch.task_gradients.find(tensor);
            return found == batch.task_gradients.end() ? nullptr : &found->second.at(t);
        });
        if (gradient.defined()) gradients.push_back(gradient);
    }
    if (gradients.empty())
        throw Error("criterion " + criterion, "group " + batch.groups()[number].name,
                    "per-task gradients of its producers", "none");
    return torch::stack(gradients, 1);
}

Registry<Criterion>::Entry taylor_criterion() {
    auto options = mean_options();
    options.push_back({"accumulate_gates", false,
                       "never clear the gates' gradients: at iteration k read 3 sum_{j<k} G_j + 2 G_k"});
    return {
        {.key = "taylor",
         .summary = "squared gradient of a gate on the channel, mean over mini-batches",
         .paper = "Molchanov et al., Importance Estimation for Neural Network Pruning, CVPR 2019 (gate form)",
         .options = options,
         .as_released = {{"window", false}, {"accumulate_gates", true}}},
        [](const nlohmann::json& options) {
            return std::make_unique<Taylor>(read_mean_options(options),
                                            options.at("accumulate_gates").get<bool>());
        }};
}

}  // namespace mtlprune
