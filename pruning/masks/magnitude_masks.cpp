// The largest weights of all convolutions: what every mask must beat.
#include <fmt/format.h>
#include <torch/utils.h>

#include <cmath>

#include "base/error.h"
#include "pruning/masks/task_votes.h"
#include "pruning/masks/weight_masking.h"

namespace mtlprune {
namespace {

/// Once, before the first iteration. Linear layers stay whole.
class MagnitudeMasks : public WeightMasking {
  public:
    explicit MagnitudeMasks(double density) : density_(density) {
        if (!(density > 0.0 && density <= 1.0))
            throw Error("weight masking", "density", "a share in (0, 1]", fmt::format("{}", density));
    }

    void begin(const MaskingStart& start) override {
        WeightScores sizes;
        int64_t weights = 0;
        for (const auto& weight : start.weights) {
            sizes.push_back(weight.convolution ? weight.parameter.detach().abs() : torch::Tensor());
            if (weight.convolution) weights += weight.parameter.numel();
        }
        if (weights == 0) throw Error("weight masking", "magnitude", "a network with convolutions", "none");
        const auto kept = highest(sizes, std::llround(density_ * static_cast<double>(weights)));
        auto layers = WeightMasks::all_kept(start.weights).layers();
        for (size_t i = 0; i < layers.size(); ++i)
            if (kept[i].defined()) layers[i].kept = kept[i];
        masks_ = WeightMasks(std::move(layers));
        zero_weights(start.weights, masks_);
    }
    void after_gradients(MaskingGradients& step) override { zero_masked_gradients(step.weights, masks_); }
    WeightMasks masks() const override { return masks_; }
    TensorMap state() const override { return with_prefix("kept.", masks_.state()); }
    void load_state(const TensorMap& state) override {
        masks_.load_state(entries_of("kept.", state), "checkpoint");
    }

  private:
    double density_;
    WeightMasks masks_;
};

}  // namespace

Registry<WeightMasking>::Entry magnitude_weight_masking() {
    return {{.key = "magnitude",
             .summary = "the largest weights of all convolutions stay, chosen before the first iteration",
             .paper = "Han et al., Learning both Weights and Connections for Efficient Neural Networks, NIPS "
                      "2015; globally, as the code of AdapMTL does",
             .options = {{"density", 0.1, "share of the convolutions' weights that stays"}}},
            [](const nlohmann::json& options) {
                return std::make_unique<MagnitudeMasks>(options.at("density").get<double>());
            }};
}

}  // namespace mtlprune
