#include "reproduce/stages/stage_callbacks.h"

#include <torch/utils.h>

#include <cstdlib>

#include "reproduce/results/stage_rows.h"

namespace mtlprune {
namespace {

bool checkpoint_due(const StageFolder& folder) {
    const char* text = std::getenv("MTLPRUNE_CHECKPOINT_SECONDS");
    return folder.seconds_since_checkpoint() > (text != nullptr ? std::strtod(text, nullptr) : 30.0);
}

}  // namespace

void StageProgressKeeper::between_steps(Trainer& trainer) {
    if (trainer.iteration() > 0 && checkpoint_due(context_.folder)) {
        auto state = trainer.state();
        state.merge(network_state(trainer.model(), steps_()));
        context_.folder.save_checkpoint(state);
    }
    context_.progress(static_cast<double>(trainer.iteration()) / static_cast<double>(iterations_),
                      context_.status);
}

void TrainingEvaluations::between_steps(Trainer& trainer) {
    const auto& recipe = context_.stage.training;
    const int64_t iteration = trainer.iteration();
    const auto key = context_.row(event_, iteration);
    if (iteration == recipe.iterations) {
        selected_iteration_ = evaluations_.close(trainer, key);
        return;
    }
    if (recipe.evaluate_every > 0 && iteration > 0 && iteration % recipe.evaluate_every == 0)
        evaluations_.look(trainer, key);
    if (masks_ && !masks_->masking().settled(iteration)) evaluations_.forget();
}

void WindowEvaluations::between_steps(Trainer& trainer) {
    const int64_t every = context_.stage.training.evaluate_every, iteration = pruner_->iteration();
    const auto& events = pruner_->events();
    auto key = context_.row(static_cast<int64_t>(events.size()), iteration);
    if (!pruner_->due()) {
        if (every > 0 && iteration > 0 && iteration % every == 0) evaluations_.look(trainer, key);
        return;
    }
    key.step = evaluations_.close(trainer, key);
    add_network(evaluations_.rows(), key, pruner_->pruner().cost(), pruner_->widths());
    if (!events.empty()) add_scores(evaluations_.rows(), key, events.back().mean_scores);
}

}  // namespace mtlprune
