// Decay that grows for what matters least, on coupled channels (Torch-Pruning's version of Wang et al., ICLR
// 2021).
#include "pruning/regularizers/regularizer.h"

namespace mtlprune {
namespace {

/// R_k / 2 ||w_k||^2; every so often R += delta (max I - I) / (max I - min I).
class GrowingReg : public Regularizer {
  public:
    GrowingReg(double reg, double delta, int64_t every) : reg_(reg), delta_(delta), every_(every) {}

    void after_gradients(RegularizedStep& step) override {
        if (strengths_.empty())
            for (const auto& group : step.groups)
                strengths_.push_back(torch::full({group.channels}, reg_, torch::kDouble));
        for (size_t i = 0; i < step.groups.size(); ++i)
            for (const auto* slices : step.groups[i].penalised()) slices->add_decay(strengths_[i]);
        if ((step.iteration + 1) % every_ == 0) grow(step.groups);
    }

    void after_event(const std::vector<torch::Tensor>& kept) override { select_rows(strengths_, kept); }

    std::map<std::string, torch::Tensor> state() const override {
        std::map<std::string, torch::Tensor> state;
        save_list(state, "strength", strengths_);
        return state;
    }
    void load_state(const std::map<std::string, torch::Tensor>& state) override {
        strengths_ = load_list(state, "strength");
    }

  private:
    void grow(const std::vector<RegularizedGroup>& groups) {
        std::vector<torch::Tensor> importances;
        for (const auto& group : groups) importances.push_back(group.importance());
        importances = on_host(importances);
        for (size_t i = 0; i < groups.size(); ++i) {
            const auto& importance = importances[i];
            if (importance.numel() == 0) continue;
            const auto spread = importance.max() - importance.min() + 1e-8;
            strengths_[i] = strengths_[i] + delta_ * (importance.max() - importance) / spread;
        }
    }

    double reg_, delta_;
    int64_t every_;
    std::vector<torch::Tensor> strengths_;  ///< per group, double [C] on the CPU
};

}  // namespace

Registry<Regularizer>::Entry growing_reg_regularizer() {
    return {{.key = "growing_reg",
             .summary = "decay of all that leaves with a channel, growing for the less important",
             .paper = "Wang et al., Neural Pruning via Growing Regularization, ICLR 2021; on groups as in "
                      "Torch-Pruning, with batch norms",
             .options = {{"reg", 1e-5, "at first (the released scripts: 5e-4)"},
                         {"delta", 1e-5, "growth for the least important channel (scripts: 1e-4)"},
                         {"every", 100, "iterations between growths: an epoch, in Torch-Pruning"}}},
            [](const nlohmann::json& options) {
                return std::make_unique<GrowingReg>(not_negative(options, "reg"),
                                                    not_negative(options, "delta"),
                                                    at_least_one(options, "every"));
            }};
}

}  // namespace mtlprune
