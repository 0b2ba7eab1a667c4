#include "pruning/masks/weight_mask_training.h"

#include <torch/utils.h>

#include "pruning/schedules/gradients_by_name.h"

namespace mtlprune {

WeightMaskTraining::WeightMaskTraining(ModelPtr model, std::unique_ptr<WeightMasking> masking,
                                       int64_t iterations, uint64_t seed)
    : model_(std::move(model)),
      masking_(std::move(masking)),
      iterations_(iterations),
      weights_(maskable_weights(*model_)) {
    const torch::NoGradGuard no_grad;
    masking_->begin({weights_, model_->tasks(), iterations_, seed});
}

MaskingStep WeightMaskTraining::step(Trainer& trainer, int64_t iteration) const {
    return {weights_, trainer, iteration, iterations_,
            trainer.optimizer().param_groups().front().options().get_lr()};
}

void WeightMaskTraining::before_gradients(Trainer& trainer, const std::vector<Batch>& batches) {
    const torch::NoGradGuard no_grad;
    const int64_t iteration = trainer.iteration();
    needs_ = masking_->needs(iteration);
    MaskingBatches now{step(trainer, iteration), batches};
    masking_->before_gradients(now);
}

void WeightMaskTraining::after_gradients(TrainingStep& step) {
    const torch::NoGradGuard no_grad;
    TaskWeightGradients of_tasks;
    if (needs_.task_gradients)
        of_tasks = task_gradients_of(weights_, *model_, step.task_gradients, step.gradients);
    MaskingGradients now{{this->step(step.trainer, step.trainer.iteration()), step.batches},
                         step.gradients.losses(),
                         of_tasks};
    masking_->after_gradients(now);
    if (needs_.no_update) drop_gradients();
    has_gradients_ = true;
}

/// Optimisers leave parameters without gradients alone, their decay too.
void WeightMaskTraining::drop_gradients() const {
    for (const auto& parameter : model_->parameters()) parameter.mutable_grad().reset();
}

void WeightMaskTraining::after_step(Trainer& trainer) {
    if (!has_gradients_) return;
    const torch::NoGradGuard no_grad;
    has_gradients_ = false;
    auto now = step(trainer, trainer.iteration() - 1);
    masking_->after_step(now);
}

void WeightMaskTraining::load_state(const TensorMap& state) {
    const torch::NoGradGuard no_grad;
    masking_->load_state(state);
}

}  // namespace mtlprune
