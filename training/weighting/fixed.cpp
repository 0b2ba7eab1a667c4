// One factor per task that never changes.
#include <fmt/format.h>

#include "training/weighting/task_weighting.h"

namespace mtlprune {
namespace {

class FixedWeighting : public TaskWeighting {
  public:
    FixedWeighting(const std::vector<double>& weights, const WeightingContext& context) {
        if (weights.empty()) return;
        if (weights.size() != context.count())
            throw Error("task weighting", "weights", fmt::format("{} factors, one per task", context.count()),
                        std::to_string(weights.size()));
        weights_ = torch::tensor(weights, torch::kDouble).to(context.options);
    }
    torch::Tensor weights() const override { return weights_; }

  private:
    torch::Tensor weights_;
};

}  // namespace

WeightingRegistry::Entry fixed_weighting() {
    return {{.key = "fixed",
             .summary = "the sum of the losses, each times a factor",
             .options = {{"weights", nlohmann::json::array(), "one factor per task; none: all 1"}}},
            [](const nlohmann::json& options, const WeightingContext& context) {
                return std::make_unique<FixedWeighting>(options.at("weights").get<std::vector<double>>(),
                                                        context);
            }};
}

}  // namespace mtlprune
