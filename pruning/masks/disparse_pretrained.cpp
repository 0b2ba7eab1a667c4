// Of a trained network: every task keeps large weights, or those that are large and have large gradients.
#include <torch/utils.h>

#include "pruning/masks/disparse.h"

namespace mtlprune {
namespace {

/// A = (sum over mini-batches of |dL/dw|) w^2.
class GradientDisparse : public ScoredMasking {
  public:
    using ScoredMasking::ScoredMasking;
    MaskingNeeds needs(int64_t iteration) const override {
        return {.task_gradients = scores(iteration), .no_update = scores(iteration)};
    }

  protected:
    TaskWeightGradients of_iteration(MaskingGradients& step) override {
        auto sizes = step.task_gradients;
        for (auto& task : sizes)
            for (auto& gradient : task) gradient = gradient.abs();
        return sizes;
    }
    void finish(const std::vector<MaskableWeight>& weights, std::vector<WeightScores>& sums) const override {
        for (auto& task : sums)
            for (size_t i = 0; i < task.size(); ++i)
                if (task[i].defined()) task[i] *= weights[i].parameter.detach().square();
    }
};

/// A = |w|: on what they share, tasks differ only in how many weights their own heads make them keep.
class MagnitudeDisparse : public ScoredMasking {
  public:
    explicit MagnitudeDisparse(const VoteOptions& options) : ScoredMasking(options, /*batches=*/0) {}

  protected:
    TaskWeightGradients of_iteration(MaskingGradients&) override { return {}; }
    void finish(const std::vector<MaskableWeight>& weights, std::vector<WeightScores>& sums) const override {
        for (auto& task : sums)
            for (size_t i = 0; i < task.size(); ++i)
                if (task[i].defined()) task[i] = weights[i].parameter.detach().abs();
    }
};

}  // namespace

std::unique_ptr<WeightMasking> pretrained_disparse(const nlohmann::json& options) {
    if (options.at("score").get<std::string>() == "magnitude")
        return std::make_unique<MagnitudeDisparse>(vote_options(options));
    return std::make_unique<GradientDisparse>(vote_options(options), options.at("batches").get<int64_t>());
}

}  // namespace mtlprune
