// A small network that trains under a masking of its weights.
#pragma once

#include <torch/autograd.h>

#include <memory>
#include <string>

#include "pruning/masks/weight_mask_training.h"
#include "tests/pruning/regularized_run.h"
#include "training/callbacks/weight_average.h"

namespace mtlprune {

struct MaskedRun {
    MaskedRun(ModelPtr masked, std::unique_ptr<WeightMasking> masking, int64_t iterations,
              const OptimizerConfig& optimizer = default_optimizer(OptimizerKind::adam),
              UpdateOptions update = {}, double ema_decay = 0.0)
        : model(std::move(masked)),
          callback(std::make_shared<WeightMaskTraining>(model, std::move(masking), iterations, /*seed=*/11)),
          trainer(model, {.optimizer = optimizer, .update = std::move(update), .iterations = iterations},
                  callbacks(ema_decay)) {}
    MaskedRun(ModelPtr masked, const std::string& masking, int64_t iterations,
              const OptimizerConfig& optimizer = default_optimizer(OptimizerKind::adam))
        : MaskedRun(std::move(masked), weight_maskings().make(masking), iterations, optimizer) {}

    void step(int64_t count = 1) {
        for (int64_t i = 0; i < count; ++i) trainer.step(batch());
    }
    /// The next mini-batch.
    Batch batch() const { return batch_at(trainer.iteration()); }
    static Batch batch_at(int64_t iteration) {
        return random_batch(static_cast<uint64_t>(iteration), 8, torch::kDouble);
    }
    const std::vector<MaskableWeight>& weights() const { return callback->weights(); }
    WeightMasks masks() const { return callback->masks(); }

    ModelPtr model;
    std::shared_ptr<WeightMaskTraining> callback;
    Trainer trainer;

  private:
    /// The average begins with the weights as they are once masked, as in stages.
    std::vector<std::shared_ptr<Callback>> callbacks(double ema_decay) const {
        if (ema_decay == 0.0) return {callback};
        return {callback, std::make_shared<WeightAverage>(model, ema_decay)};
    }
};

/// Every task's gradients on a mini-batch by LibTorch alone, [task][weight], zeros where a loss does not
/// reach. Running statistics of the model change.
inline std::vector<std::vector<torch::Tensor>> plain_gradients(Model& model, const Batch& batch) {
    const auto weights = maskable_weights(model);
    std::vector<torch::Tensor> inputs;
    for (const auto& weight : weights) inputs.push_back(weight.parameter);
    const auto losses = task_losses(model.tasks(), model.forward(batch.image), batch.targets);
    std::vector<std::vector<torch::Tensor>> gradients;
    for (const auto& loss : losses) {
        gradients.push_back(torch::autograd::grad({loss}, inputs, {}, /*retain_graph=*/true,
                                                  /*create_graph=*/false, /*allow_unused=*/true));
        for (size_t i = 0; i < inputs.size(); ++i)
            if (!gradients.back()[i].defined()) gradients.back()[i] = torch::zeros_like(inputs[i]);
    }
    return gradients;
}

/// As a plain list.
inline std::vector<double> doubles(const torch::Tensor& tensor) {
    const auto flat = tensor.detach().to(torch::kDouble).contiguous();
    return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

}  // namespace mtlprune
