// Dynamic weight average: Liu, Johns, Davison, CVPR 2019, equation 7. Tasks whose losses fall slowly weigh
// more: T softmax(ratio / temperature), where ratio is the mean loss of the last epoch by that of the one
// before.
#include <torch/utils.h>

#include "training/weighting/task_weighting.h"

namespace mtlprune {
namespace {

class DwaWeighting : public TaskWeighting {
  public:
    DwaWeighting(double temperature, int64_t every, const WeightingContext& context)
        : temperature_(temperature),
          every_(every),
          weights_(torch::ones({static_cast<int64_t>(context.count())}, context.options)),
          sum_(torch::zeros_like(weights_)),
          previous_(torch::zeros_like(weights_)) {
        if (!(temperature > 0.0) || every < 1)
            throw Error("task weighting", "dwa", "temperature and every above 0", "others");
    }

    bool learns() const override { return true; }
    torch::Tensor weights() const override { return weights_; }

    void learn(const WeightingStep& step) override {
        const torch::NoGradGuard no_grad;
        sum_ = sum_ + step.losses.to(sum_.options());
        if (++iterations_ % every_ != 0) return;
        const auto mean = sum_ / static_cast<double>(every_);
        const auto count = static_cast<double>(mean.numel());
        if (iterations_ > every_) weights_ = count * (mean / previous_ / temperature_).softmax(0);
        previous_ = mean;
        sum_ = torch::zeros_like(sum_);
    }

    TensorMap state() const override {
        return {{"weights", weights_},
                {"sum", sum_},
                {"previous", previous_},
                {"iterations", torch::tensor(iterations_)}};
    }

    void load_state(const TensorMap& state) override {
        const auto device = weights_.options();
        weights_ = weighting_entry(state, "weights").to(device).clone();
        sum_ = weighting_entry(state, "sum").to(device).clone();
        previous_ = weighting_entry(state, "previous").to(device).clone();
        iterations_ = weighting_entry(state, "iterations").item<int64_t>();
    }

  private:
    double temperature_;
    int64_t every_;
    int64_t iterations_ = 0;
    torch::Tensor weights_;
    torch::Tensor sum_;       ///< of the losses in this epoch
    torch::Tensor previous_;  ///< mean losses of the last epoch
};

}  // namespace

WeightingRegistry::Entry dwa_weighting() {
    return {
        {.key = "dwa",
         .summary = "dynamic weight average: T softmax(ratio of the last two epochs' losses / temperature)",
         .paper = "Liu, Johns, Davison, CVPR 2019",
         .options = {{"temperature", 2.0, "large: weights near 1"},
                     {"every", 100, "iterations of an epoch"}}},
        [](const nlohmann::json& options, const WeightingContext& context) {
            return std::make_unique<DwaWeighting>(options.at("temperature").get<double>(),
                                                  options.at("every").get<int64_t>(), context);
        }};
}

}  // namespace mtlprune
