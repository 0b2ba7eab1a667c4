// Scales of batch norms (Liu et al., Learning Efficient Convolutional Networks through Network Slimming, ICCV
// 2017).
#include "pruning/regularizers/regularizer.h"
#include "training/task_gradients.h"

namespace mtlprune {
namespace {

/// s |gamma|: its sub-gradient s sign(gamma), with sign(0) = 0, or a step of soft thresholding by lr s.
class Slimming : public Regularizer {
  public:
    Slimming(double s, bool proximal) : s_(s), proximal_(proximal) {}

    void after_gradients(RegularizedStep& step) override {
        if (proximal_) return;
        for (const auto& group : step.groups)
            for (const auto& norm : group.norms)
                add_gradient(norm.parameter, norm.parameter.sign() * spread(norm, group, s_));
    }

    void after_step(RegularizedStep& step) override {
        if (!proximal_) return;
        for (const auto& group : step.groups)
            for (const auto& norm : group.norms) {
                auto gamma = norm.parameter;
                const auto smaller = gamma.abs() - spread(norm, group, step.learning_rate * s_);
                gamma.copy_(gamma.sign() * smaller.clamp_min(0.0));
            }
    }

  private:
    static torch::Tensor spread(const ChannelSlices& norm, const RegularizedGroup& group, double value) {
        return norm.spread(torch::full({group.channels}, value, torch::kDouble));
    }

    double s_;
    bool proximal_;
};

}  // namespace

Registry<Regularizer>::Entry slimming_regularizer() {
    return {
        {.key = "slimming",
         .summary = "s |gamma| on the scales of batch norms; groups without batch norm have no penalty",
         .paper = "Liu et al., Learning Efficient Convolutional Networks through Network Slimming, ICCV 2017",
         .options =
             {{"s", 1e-4, "strength (the paper: 1e-4 for VGG, 1e-5 for ResNet and DenseNet)"},
              {"proximal", false,
               "soft thresholding after the step in place of the sub-gradient, which swings around 0"}}},
        [](const nlohmann::json& options) {
            return std::make_unique<Slimming>(not_negative(options, "s"), options.at("proximal").get<bool>());
        }};
}

}  // namespace mtlprune
