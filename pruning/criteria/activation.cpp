// Criteria on what the layers behind a group read of it: APoZ and mean activation.
#include <torch/utils.h>

#include "base/error.h"
#include "pruning/criteria/layer_watch.h"
#include "pruning/criteria/pass_criterion.h"

namespace mtlprune {
namespace {

/// One number per value, averaged over samples, positions, readers and mini-batches.
class Activation : public PassCriterion {
  public:
    /// [B,C,P] -> [B,C,P]
    using Measure = torch::Tensor (*)(const torch::Tensor& values);
    Activation(const char* key, Measure measure) : PassCriterion(key), measure_(measure) {}

  protected:
    std::vector<torch::Tensor> contributions(const Evidence& batch) const override {
        const torch::NoGradGuard no_grad;
        GroupMeans means(batch.asked().size());
        watch_layers(
            batch, [&] { batch.passes().outputs(batch.passes().input); },
            [&](const LayerCall& call) {
                for (const auto& [asked, member] : call.uses)
                    if (member->role == Role::input)
                        means.add(asked, measure_(channels_read(call, *member))
                                             .transpose(0, 1)
                                             .flatten(1)
                                             .mean(1, false, torch::kDouble));
            });
        std::vector<torch::Tensor> all;
        for (size_t i = 0; i < batch.asked().size(); ++i) {
            if (!means.has(i)) throw nothing_of(batch, i, "a convolution or linear layer that reads it");
            all.push_back(means.mean(i));
        }
        return all;
    }

  private:
    Measure measure_;
};

torch::Tensor is_positive(const torch::Tensor& values) {
    return values > 0;
}

torch::Tensor magnitude(const torch::Tensor& values) {
    return values.abs();
}

}  // namespace

Registry<Criterion>::Entry apoz_criterion() {
    return {{.key = "apoz",
             .summary = "share of positive values in what the next layers read (1 - APoZ; meant for ReLU)",
             .paper = "Hu et al., Network Trimming, 2016"},
            [](const nlohmann::json&) { return std::make_unique<Activation>("apoz", is_positive); }};
}

Registry<Criterion>::Entry mean_activation_criterion() {
    return {{.key = "mean_activation",
             .summary = "mean absolute value of what the next layers read",
             .paper = "Molchanov et al., Pruning CNNs for Resource Efficient Inference, ICLR 2017"},
            [](const nlohmann::json&) { return std::make_unique<Activation>("mean_activation", magnitude); }};
}

}  // namespace mtlprune
