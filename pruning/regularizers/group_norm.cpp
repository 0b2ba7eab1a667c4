// The sparse training of DepGraph (Fang et al., DepGraph: Towards Any Structural Pruning, CVPR 2023).
#include <cmath>

#include "pruning/regularizers/regularizer.h"

namespace mtlprune {
namespace {

constexpr double kLeastSpread = 1e-12;  ///< of importances that differ

/// 2^(alpha (max I - I) / (max I - min I)): 1 for the most important channel of a group, 2^alpha for the
/// least.
torch::Tensor decay_factors(const torch::Tensor& importance, double alpha) {
    if (importance.numel() == 0) return importance;
    const auto spread = importance.max() - importance.min();
    const auto share = (importance.max() - importance) / spread.clamp_min(kLeastSpread);
    return torch::where(spread < kLeastSpread, torch::ones_like(share), torch::pow(2.0, alpha * share));
}

/// reg / 2 sum of factor_k ||w_k||^2, the factors constant.
class GroupNorm : public Regularizer {
  public:
    GroupNorm(double reg, double alpha) : reg_(reg), alpha_(alpha) {}

    void after_gradients(RegularizedStep& step) override {
        for (const auto& group : step.groups) {
            const auto factors = reg_ * decay_factors(group.importance().sqrt(), alpha_);
            for (const auto* slices : group.penalised()) slices->add_decay(factors);
        }
    }

  private:
    double reg_, alpha_;
};

}  // namespace

Registry<Regularizer>::Entry group_norm_regularizer() {
    return {
        {.key = "group_norm",
         .summary = "decay of all that leaves with a channel, up to 2^alpha times as strong for the least "
                    "important; no other weight decay beside it",
         .paper = "Fang et al., DepGraph: Towards Any Structural Pruning, CVPR 2023",
         .options = {{"reg", 1e-4, "strength (the released scripts: 5e-4)"},
                     {"alpha", 4.0, "exponent for the least important channel"}}},
        [](const nlohmann::json& options) {
            return std::make_unique<GroupNorm>(not_negative(options, "reg"), not_negative(options, "alpha"));
        }};
}

}  // namespace mtlprune
