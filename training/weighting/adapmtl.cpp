// Adaptive task weights of AdapMTL (Xiang et al., ACM MM 2024), after its released code: tasks whose losses
// change more from one iteration to the next weigh more.
#include <fmt/format.h>
#include <torch/utils.h>

#include "training/weighting/task_weighting.h"

namespace mtlprune {
namespace {

struct AdapMtlOptions {
    int64_t start, window;
    double eps, total;
    std::vector<double> priorities;
};

/// Factors = priority times w, where w is the mean over the last `window` iterations of |previous loss -
/// loss| / loss, scaled so that all tasks' add up to `total`; equal before the window is full.
class AdapMtlWeighting : public TaskWeighting {
  public:
    AdapMtlWeighting(const AdapMtlOptions& options, const WeightingContext& context)
        : options_(options), like_(torch::TensorOptions(torch::kDouble).device(context.options.device())) {
        const auto count = static_cast<int64_t>(context.count());
        if (options_.total == 0.0) options_.total = static_cast<double>(count);
        if (options_.start < 0 || options_.window < 1 || !(options_.eps >= 0.0) || !(options_.total > 0.0))
            throw Error("task weighting", "adapmtl",
                        "start, eps and total of at least 0 and a window of at least 1", "others");
        if (options_.priorities.empty()) options_.priorities.assign(context.count(), 1.0);
        if (options_.priorities.size() != context.count())
            throw Error("task weighting", "priorities", fmt::format("{} factors, one per task", count),
                        std::to_string(options_.priorities.size()));
        factors_ = torch::tensor(options_.priorities, torch::kDouble).to(context.options);
        weights_ = torch::full({count}, options_.total / static_cast<double>(count), like_);
        previous_ = torch::zeros({count}, like_);
        changes_ = torch::zeros({0, count}, like_);
    }

    bool learns() const override { return true; }
    torch::Tensor weights() const override { return factors_ * weights_.to(factors_.options()); }

    void learn(const WeightingStep& step) override {
        const torch::NoGradGuard no_grad;
        if (iterations_++ < options_.start) return;
        const auto losses = step.losses.to(like_);
        if (iterations_ > options_.start + 1)
            changes_ =
                torch::cat({changes_, ((previous_ - losses).abs() / (losses + options_.eps)).unsqueeze(0)});
        previous_ = losses.clone();
        if (changes_.size(0) <= options_.window) return;
        changes_ = changes_.slice(0, 1).clone();
        const auto means = changes_.mean(0);
        // Without any change there is nothing to compare: the weights stay.
        weights_ = torch::where(means.sum() > 0.0, means * options_.total / means.sum(), weights_);
    }

    TensorMap state() const override {
        return {{"weights", weights_},
                {"previous", previous_},
                {"changes", changes_},
                {"iterations", torch::tensor(iterations_)}};
    }

    void load_state(const TensorMap& state) override {
        weights_ = weighting_entry(state, "weights").to(like_).clone();
        previous_ = weighting_entry(state, "previous").to(like_).clone();
        changes_ = weighting_entry(state, "changes").to(like_).clone();
        iterations_ = weighting_entry(state, "iterations").item<int64_t>();
    }

  private:
    AdapMtlOptions options_;
    torch::TensorOptions like_;
    int64_t iterations_ = 0;
    torch::Tensor factors_;   ///< priorities
    torch::Tensor weights_;   ///< [T]
    torch::Tensor previous_;  ///< the last iteration's losses
    torch::Tensor changes_;   ///< [n, T]: relative, the oldest first
};

}  // namespace

WeightingRegistry::Entry adapmtl_weighting() {
    return {
        {.key = "adapmtl",
         .summary = "tasks whose losses change more from one iteration to the next (relatively, mean over a "
                    "window) weigh more",
         .paper = "Xiang et al., AdapMTL, ACM MM 2024",
         .options = {{"start", 5000, "the iteration from which losses are looked at"},
                     {"window", 500,
                      "changes of which the mean is taken; until there are as many, all are 1"},
                     {"eps", 1e-12, "added to the loss that a change is divided by (the released code: 0)"},
                     {"total", 0.0,
                      "what the weights add up to; 0: the number of tasks (the released code: 3)"},
                     {"priorities", nlohmann::json::array(), "one more factor per task; none: all 1"}},
         .as_released = {{"eps", 0.0}, {"total", 3.0}},
         .certainty = "medium: after the released code, which weighs an iteration's losses with it included; "
                      "here it counts from the next on"},
        [](const nlohmann::json& options, const WeightingContext& context) {
            return std::make_unique<AdapMtlWeighting>(
                AdapMtlOptions{options.at("start").get<int64_t>(), options.at("window").get<int64_t>(),
                               options.at("eps").get<double>(), options.at("total").get<double>(),
                               options.at("priorities").get<std::vector<double>>()},
                context);
        }};
}

}  // namespace mtlprune
