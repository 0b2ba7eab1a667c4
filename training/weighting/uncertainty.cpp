// Homoscedastic uncertainty: Kendall, Gal, Cipolla, CVPR 2018. With s = log(variance) of a task, the loss of
// a classification L becomes exp(-s) L + s / 2 (equation 10), that of a regression exp(-s) L / 2 + s / 2
// (equation 7).
#include <torch/utils.h>

#include "training/weighting/task_weighting.h"

namespace mtlprune {
namespace {

const char* const kLogVariances = "log_variances";

double factor_of(TaskKind kind) {
    return kind == TaskKind::segmentation || kind == TaskKind::classification ? 1.0 : 0.5;
}

class UncertaintyWeighting : public TaskWeighting {
  public:
    explicit UncertaintyWeighting(const WeightingContext& context) {
        std::vector<double> factors;
        for (const auto& task : context.tasks) factors.push_back(factor_of(task.kind));
        factors_ = torch::tensor(factors, torch::kDouble).to(context.options);
        log_variances_ = torch::zeros_like(factors_).requires_grad_();
        auto config = context.optimizer;
        config.weight_decay = 0.0;  // it would pull all variances towards 1
        optimizer_ = make_optimizer({log_variances_}, config);
    }

    bool learns() const override { return true; }

    torch::Tensor weights() const override {
        const torch::NoGradGuard no_grad;
        return factors_ * (-log_variances_).exp();
    }

    void learn(const WeightingStep& step) override {
        set_learning_rate(*optimizer_, step.learning_rate);
        log_variances_.mutable_grad() = 0.5 - weights() * step.losses.to(factors_.options());
        optimizer_->step();
    }

    TensorMap state() const override {
        auto state = optimizer_state(*optimizer_, {kLogVariances});
        state[kLogVariances] = log_variances_.detach();
        return state;
    }

    void load_state(const TensorMap& state) override {
        const torch::NoGradGuard no_grad;
        log_variances_.copy_(weighting_entry(state, kLogVariances));
        auto moments = state;
        moments.erase(kLogVariances);
        load_optimizer_state(*optimizer_, {kLogVariances}, moments);
    }

  private:
    torch::Tensor factors_;
    torch::Tensor log_variances_;
    std::unique_ptr<torch::optim::Optimizer> optimizer_;
};

}  // namespace

WeightingRegistry::Entry uncertainty_weighting() {
    return {
        {.key = "uncertainty",
         .summary = "learned variances of the tasks: exp(-s) L + s/2, of regressions exp(-s) L/2 + s/2; s "
                    "is trained like the network, without weight decay",
         .paper = "Kendall, Gal, Cipolla, CVPR 2018"},
        [](const nlohmann::json&, const WeightingContext& context) {
            return std::make_unique<UncertaintyWeighting>(context);
        }};
}

}  // namespace mtlprune
