// Norms of everything that leaves with a channel (Friedman, Hastie, Tibshirani, A note on the group lasso and
// a sparse group lasso, 2010; on coupled channels as in Torch-Pruning 1.6).
#include <cmath>

#include "pruning/regularizers/regularizer.h"

namespace mtlprune {
namespace {

constexpr double kLassoEpsilon = 1e-9;  ///< under the root

/// reg sqrt(||w||^2 + eps) per channel, of all its weights or of the scales of its batch norms.
class GroupLasso : public Regularizer {
  public:
    GroupLasso(double reg, bool batch_norms, bool size_weighted)
        : reg_(reg), batch_norms_(batch_norms), size_weighted_(size_weighted) {}

    void after_gradients(RegularizedStep& step) override {
        for (const auto& group : step.groups)
            if (batch_norms_)
                add_to_norms(group);
            else
                add_to_all(group);
    }

  private:
    void add_to_all(const RegularizedGroup& group) const {
        const auto slices = group.penalised();
        int64_t weights = 0;
        for (const auto* part : slices) weights += part->weights;
        const double strength = size_weighted_ ? reg_ * std::sqrt(static_cast<double>(weights)) : reg_;
        const auto factors = strength / (group.squares() + kLassoEpsilon).sqrt();
        for (const auto* part : slices) part->add_decay(factors);
    }

    /// By the mean of the norms' squares, as Torch-Pruning does.
    void add_to_norms(const RegularizedGroup& group) const {
        if (group.norms.empty()) return;
        torch::Tensor sum;
        int64_t scales = 0;
        for (const auto& norm : group.norms) {
            sum = sum.defined() ? sum + norm.sums(2) : norm.sums(2);
            scales += norm.per_channel;
        }
        const auto factors = reg_ / (sum / static_cast<double>(scales) + kLassoEpsilon).sqrt();
        for (const auto& norm : group.norms) norm.add_decay(factors);
    }

    double reg_;
    bool batch_norms_, size_weighted_;
};

}  // namespace

Registry<Regularizer>::Entry group_lasso_regularizer() {
    return {{.key = "group_lasso",
             .summary = "the norm of all that leaves with a channel; no other weight decay beside it",
             .paper = "Friedman, Hastie, Tibshirani, A note on the group lasso and a sparse group lasso, "
                      "2010; as in Torch-Pruning",
             .options = {{"reg", 1e-4, "strength (1e-4 to 5e-4)"},
                         {"variant",
                          "full",
                          "full: filters, readers and batch norms; bn: scales of batch norms alone, as "
                          "Torch-Pruning does",
                          {"full", "bn"}},
                         {"size_weighted", false, "full: times the root of the number of weights"}}},
            [](const nlohmann::json& options) {
                return std::make_unique<GroupLasso>(not_negative(options, "reg"),
                                                    options.at("variant").get<std::string>() == "bn",
                                                    options.at("size_weighted").get<bool>());
            }};
}

}  // namespace mtlprune
