#include "pruning/masks/weight_masking.h"

#include <torch/utils.h>

#include "base/error.h"
#include "base/random.h"
#include "pruning/schedules/gradients_by_name.h"
#include "pruning/schedules/model_passes.h"

// One line per method; `name` is defined in a file of its own as `Registry<WeightMasking>::Entry
// name_weight_masking()`.
#define MTLPRUNE_WEIGHT_MASKINGS(ENTRY) \
    ENTRY(disparse)                     \
    ENTRY(magnitude)                    \
    ENTRY(adapmtl)

namespace mtlprune {

#define MTLPRUNE_DECLARE(name) Registry<WeightMasking>::Entry name##_weight_masking();
MTLPRUNE_WEIGHT_MASKINGS(MTLPRUNE_DECLARE)
#undef MTLPRUNE_DECLARE

Registry<WeightMasking>& weight_maskings() {
    static Registry<WeightMasking> all = [] {
        Registry<WeightMasking> registry("weight masking");
#define MTLPRUNE_ADD(name) registry.add(name##_weight_masking());
        MTLPRUNE_WEIGHT_MASKINGS(MTLPRUNE_ADD)
#undef MTLPRUNE_ADD
        return registry;
    }();
    return all;
}

namespace {

/// Weights of a network at other values; the destructor gives them their own back.
class ValuesInPlace {
  public:
    ValuesInPlace(const std::vector<MaskableWeight>& weights, const std::vector<torch::Tensor>& values) {
        for (size_t i = 0; i < values.size(); ++i) {
            if (!values[i].defined()) continue;
            own_.emplace_back(weights.at(i).parameter, weights[i].parameter.detach());
            own_.back().first.set_data(values[i]);
        }
    }
    ValuesInPlace(const ValuesInPlace&) = delete;
    ValuesInPlace& operator=(const ValuesInPlace&) = delete;
    ~ValuesInPlace() {
        for (auto& [parameter, own] : own_) parameter.set_data(own);
    }

  private:
    std::vector<std::pair<torch::Tensor, torch::Tensor>> own_;
};

}  // namespace

TaskWeightGradients MaskingBatches::gradients_at(const std::vector<torch::Tensor>& values,
                                                 const Batch& batch) const {
    const auto& options = trainer.options();
    if (options.parallel)
        throw Error("configuration", "weight_masking",
                    "one that looks at the training's gradients with several "
                    "processes",
                    "one that runs passes of its own");
    auto& model = trainer.model();
    const auto passes = model_passes(model, batch, options.losses);
    const auto mode = passes.in_mode(/*training=*/true);
    const ValuesInPlace others(weights, values);
    model.set_dropout_key(
        mix_key(options.seed, Stream::method, static_cast<uint64_t>(iteration), options.phase));
    const torch::AutoGradMode recording(true);
    TaskGradients gradients(model, batch, {.losses = options.losses, .precision = options.update.precision});
    std::vector<std::vector<torch::Tensor>> shared;
    for (size_t t = 0; t < gradients.task_count(); ++t) shared.push_back(gradients.shared(t));
    return task_gradients_of(weights, model, shared, gradients);
}

void zero_weights(const std::vector<MaskableWeight>& weights, const WeightMasks& masks) {
    const torch::NoGradGuard no_grad;
    for (const auto& weight : weights)
        torch::Tensor(weight.parameter).masked_fill_(masks.at(weight.name).logical_not(), 0);
}

void zero_masked(Trainer& trainer, const std::vector<MaskableWeight>& weights, const WeightMasks& masks) {
    zero_weights(weights, masks);
    for (const auto& weight : weights) trainer.mask_state(weight.parameter, masks.at(weight.name));
}

void zero_masked_gradients(const std::vector<MaskableWeight>& weights, const WeightMasks& masks) {
    const torch::NoGradGuard no_grad;
    for (const auto& weight : weights) {
        auto& gradient = weight.parameter.mutable_grad();
        if (gradient.defined()) gradient = gradient.masked_fill(masks.at(weight.name).logical_not(), 0);
    }
}

}  // namespace mtlprune
