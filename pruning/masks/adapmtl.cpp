// AdapMTL (Xiang et al., ACM MM 2024): soft thresholds of weights that are trained, one for the backbone and
// one for every head.
#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>

#include "base/error.h"
#include "pruning/masks/stored_weights.h"
#include "pruning/masks/weight_masking.h"
#include "pruning/regularizers/soft_thresholds.h"

namespace mtlprune {
namespace {

/// w_eff = sign(w) max(|w| - tau, 0) for weights of convolutions; linear layers stay whole. The network holds
/// w_eff but between the gradients and the optimiser's step, which is that of the stored w.
class AdapMtlMasking : public WeightMasking {
  public:
    AdapMtlMasking(double start, double density) : thresholds_(start), density_(density) {
        if (!(density > 0.0 && density <= 1.0))
            throw Error("weight masking", "density", "a share in (0, 1]", fmt::format("{}", density));
    }

    void begin(const MaskingStart& start) override {
        layers_ = WeightMasks::all_kept(start.weights).layers();
        parts_.assign(start.weights.size(), -1);
        std::vector<std::string> names;
        for (size_t i = 0; i < parts_.size(); ++i) {
            const auto& weight = start.weights[i];
            if (!weight.convolution) continue;
            if (std::find(names.begin(), names.end(), weight.task) == names.end())
                names.push_back(weight.task);
            parts_[i] = std::find(names.begin(), names.end(), weight.task) - names.begin();
        }
        if (names.empty()) throw Error("weight masking", "adapmtl", "a network with convolutions", "none");
        thresholds_.begin(static_cast<int64_t>(names.size()));
        stored_.begin(start.weights);
        take(start.weights);
    }

    void after_gradients(MaskingGradients& step) override {
        stored_.show(step.weights);
        tau_gradients_ = torch::zeros({thresholds_.parts()}, torch::kDouble);
        KeptCount count;
        for (size_t i = 0; i < parts_.size(); ++i) {
            if (parts_[i] < 0) continue;
            const auto now = layers_[i].count();
            count.kept += now.kept;
            count.all += now.all;
            auto& gradient = step.weights[i].parameter.mutable_grad();
            if (!gradient.defined()) continue;
            gradient = gradient.masked_fill(layers_[i].kept.logical_not(), 0);
            const auto sign = step.weights[i].parameter.sign();
            tau_gradients_[parts_[i]] -= (sign * gradient).sum(torch::kDouble).to(torch::kCPU);
        }
        reached_ = count.density() <= density_;
    }

    void after_step(MaskingStep& step) override {
        // At the density that is wanted thresholds stay as they are: no decay either.
        if (!reached_) thresholds_.step(tau_gradients_, step.trainer.options().optimizer, step.learning_rate);
        take(step.weights);
    }

    WeightMasks masks() const override { return WeightMasks(layers_); }
    bool settled(int64_t /*iteration*/) const override { return reached_; }

    TensorMap state() const override {
        auto state = with_prefix("kept.", masks().state());
        state.merge(with_prefix("stored.", stored_.state()));
        state.merge(with_prefix("thresholds.", thresholds_.state()));
        state["reached"] = torch::tensor(reached_);
        return state;
    }
    void load_state(const TensorMap& state) override {
        auto loaded = masks();
        loaded.load_state(entries_of("kept.", state), "checkpoint");
        layers_ = loaded.layers();
        stored_.load_state(entries_of("stored.", state));
        thresholds_.load_state(entries_of("thresholds.", state));
        reached_ = state.at("reached").item<bool>();
    }

  private:
    /// What the network holds becomes the stored weights, and it gets the effective ones.
    void take(const std::vector<MaskableWeight>& weights) {
        const auto tau = thresholds_.values();
        stored_.take(weights, [&](size_t i, const torch::Tensor& stored) {
            if (parts_[i] < 0) return stored;
            const auto left = (stored.abs() - tau[parts_[i]].to(stored.options())).clamp_min(0);
            layers_[i].kept = left > 0;
            return stored.sign() * left;
        });
    }

    SoftThresholds thresholds_;
    double density_;
    std::vector<LayerMask> layers_;
    std::vector<int64_t> parts_;  ///< per weight, the number of its threshold; -1: none
    StoredWeights stored_;
    torch::Tensor tau_gradients_;
    bool reached_ = false;  ///< the density, before the latest step
};

}  // namespace

Registry<WeightMasking>::Entry adapmtl_weight_masking() {
    return {
        {.key = "adapmtl",
         .summary = "weights of convolutions shrink by a threshold that is trained, one for the backbone "
                    "and one per head, until so few are left",
         .paper = "Xiang et al., AdapMTL: Adaptive Pruning Framework for Multitask Learning Model, ACM MM "
                  "2024",
         .options = {{"density", 0.1, "share of the convolutions' weights at which thresholds stay"},
                     {"start", -15.0, "s of the thresholds sigmoid(s) at the start (-15 to -20)"}},
         .certainty = "medium: after the released code, its paper was not read"},
        [](const nlohmann::json& options) {
            return std::make_unique<AdapMtlMasking>(options.at("start").get<double>(),
                                                    options.at("density").get<double>());
        }};
}

}  // namespace mtlprune
