// GradNorm: Chen, Badrinarayanan, Lee, Rabinovich, ICML 2018. The factors w are trained so that the norms of
// the weighted gradients, G_t = w_t |grad L_t|, approach mean(G) r_t^alpha, where r_t is the loss by its
// first value, divided by the mean of that over tasks (equations 1 and 2, algorithm 1).
#include <torch/utils.h>

#include "training/weighting/task_weighting.h"

namespace mtlprune {
namespace {

const char* const kWeights = "weights";
constexpr double kLeastWeight = 1e-4;  // a factor must not change its sign

/// The last shared parameter that is a matrix or a kernel.
size_t last_layer(const WeightingContext& context) {
    for (size_t i = context.dimensions.size(); i-- > 0;)
        if (context.dimensions[i] >= 2) return i;
    throw Error("task weighting", "gradnorm", "a shared layer with weights", "none");
}

class GradNormWeighting : public TaskWeighting {
  public:
    GradNormWeighting(double alpha, double learning_rate, bool last, const WeightingContext& context)
        : alpha_(alpha),
          begin_(last ? last_layer(context) : 0),
          end_(last ? begin_ + 1 : context.dimensions.size()),
          weights_(torch::ones({static_cast<int64_t>(context.count())}, context.options).requires_grad_()),
          first_losses_(torch::zeros_like(weights_, context.options)),
          optimizer_(make_optimizer({weights_}, {.kind = OptimizerKind::adam,
                                                 .lr = learning_rate,
                                                 .beta1 = 0.9,
                                                 .beta2 = 0.999,
                                                 .eps = 1e-8,
                                                 .weight_decay = 0.0})) {}

    bool needs_task_gradients() const override { return true; }
    bool learns() const override { return true; }
    torch::Tensor weights() const override { return weights_.detach().clone(); }

    void learn(const WeightingStep& step) override {
        const torch::NoGradGuard no_grad;
        const auto losses = step.losses.to(first_losses_.options());
        if (!started_) first_losses_ = losses.clone();
        started_ = true;
        const auto norms = norms_of(step.gradients);
        const auto weighted = weights_ * norms;
        const auto progress = losses / first_losses_;
        const auto target = weighted.mean() * (progress / progress.mean()).pow(alpha_);
        weights_.mutable_grad() = (weighted - target).sign() * norms;
        optimizer_->step();
        weights_.clamp_min_(kLeastWeight);
        weights_.mul_(static_cast<double>(weights_.numel()) / weights_.sum());
    }

    TensorMap state() const override {
        auto state = optimizer_state(*optimizer_, {kWeights});
        state[kWeights] = weights_.detach();
        state["first_losses"] = first_losses_;
        state["started"] = torch::tensor(started_);
        return state;
    }

    void load_state(const TensorMap& state) override {
        const torch::NoGradGuard no_grad;
        weights_.copy_(weighting_entry(state, kWeights));
        first_losses_ = weighting_entry(state, "first_losses").to(first_losses_.options()).clone();
        started_ = weighting_entry(state, "started").item<bool>();
        auto moments = state;
        for (const char* name : {kWeights, "first_losses", "started"}) moments.erase(name);
        load_optimizer_state(*optimizer_, {kWeights}, moments);
    }

  private:
    torch::Tensor norms_of(const TaskLists& gradients) const {
        std::vector<torch::Tensor> norms;
        for (const auto& list : gradients) {
            auto squares = torch::zeros({}, torch::kDouble).to(weights_.device());
            for (size_t i = begin_; i < end_; ++i)
                if (list.at(i).defined()) squares += list[i].norm().to(torch::kDouble).square();
            norms.push_back(squares.sqrt());
        }
        return torch::stack(norms).to(first_losses_.options());
    }

    double alpha_;
    size_t begin_, end_;  ///< whose gradients are measured
    torch::Tensor weights_;
    torch::Tensor first_losses_;
    bool started_ = false;
    std::unique_ptr<torch::optim::Optimizer> optimizer_;
};

}  // namespace

WeightingRegistry::Entry gradnorm_weighting() {
    return {{.key = "gradnorm",
             .summary = "factors trained (by Adam) until all tasks pull the shared layer alike",
             .paper = "Chen, Badrinarayanan, Lee, Rabinovich, ICML 2018",
             .options = {{"alpha", 1.5, "how strongly slow tasks are favoured"},
                         {"lr", 0.025, "of the factors"},
                         {"layer",
                          "last",
                          "whose gradients are measured: the weights of the last shared layer "
                          "(the paper's), or all shared parameters",
                          {"last", "all"}}}},
            [](const nlohmann::json& options, const WeightingContext& context) {
                return std::make_unique<GradNormWeighting>(
                    options.at("alpha").get<double>(), options.at("lr").get<double>(),
                    options.at("layer").get<std::string>() == "last", context);
            }};
}

}  // namespace mtlprune
