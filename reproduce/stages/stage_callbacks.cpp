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

Table table_of(const torch::Tensor& text) {
    return Table::parse(tensor_text(text), "rows of the checkpoint");
}

void add_learned_weights(Table& rows, const TableRow& key, const std::vector<TaskSpec>& tasks,
                         const TaskWeighting& weighting) {
    if (!weighting.learns()) return;
    const auto weights = weighting.weights().to(torch::kCPU, torch::kDouble).contiguous();
    const double* values = weights.data_ptr<double>();
    add_task_weights(rows, key, tasks, {values, values + weights.numel()});
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
    const bool last = iteration == recipe.iterations;
    const bool wanted = recipe.evaluate_every > 0 && iteration > 0 && iteration % recipe.evaluate_every == 0;
    if (!last && !wanted) return;
    const EvaluatedWeights weights(trainer);
    const auto evaluation = evaluate(trainer.model(), test_, context_.experiment.fidelity);
    add_evaluation(rows_, context_.row(event_, iteration), context_.tasks, evaluation);
    add_learned_weights(rows_, context_.row(event_, iteration), context_.tasks, trainer.weighting());
    if (recipe.selection == "last" && !last) return;
    const double score = score_of(evaluation, last);
    if (best_iteration_ >= 0 && score <= best_score_) return;
    best_score_ = score;
    best_iteration_ = iteration;
    best_network_.clear();
    for (const auto& [name, tensor] : network_state(trainer.model(), steps_()))
        best_network_[name] = tensor.clone();
}

/// Higher is better.
double TrainingEvaluations::score_of(const Evaluation& evaluation, bool last) const {
    const auto& selection = context_.stage.training.selection;
    if (selection == "last") return static_cast<double>(last);
    if (selection == "best_loss") return -evaluation.total_loss();
    const auto& metric = evaluation.metric(selection.substr(std::string("best_").size()));
    return metric.higher_is_better ? metric.value : -metric.value;
}

TensorMap TrainingEvaluations::state() const {
    auto state = with_prefix("best.", best_network_);
    state["rows"] = text_tensor(rows_.text());
    state["best_iteration"] = torch::tensor(best_iteration_);
    state["best_score"] = torch::tensor(best_score_, torch::kDouble);
    return state;
}

void TrainingEvaluations::load_state(const TensorMap& state) {
    rows_ = table_of(state.at("rows"));
    best_iteration_ = state.at("best_iteration").item<int64_t>();
    best_score_ = state.at("best_score").item<double>();
    best_network_ = entries_of("best.", state);
}

void WindowEvaluations::between_steps(Trainer& trainer) {
    const int64_t every = context_.stage.training.evaluate_every, iteration = trainer.iteration();
    const bool window_ends = pruner_->due();
    if (!window_ends && !(every > 0 && iteration > 0 && iteration % every == 0)) return;
    const EvaluatedWeights weights(trainer);
    const auto evaluation = evaluate(trainer.model(), test_, context_.experiment.fidelity);
    const double loss = evaluation.total_loss();
    const bool best = context_.stage.training.selection != "last";
    if (!best || window_rows_.empty() || loss < window_loss_) {
        window_loss_ = loss;
        window_rows_ = rows_of(evaluation, trainer.weighting());
    }
    if (!window_ends) return;
    rows_.append(window_rows_);
    window_rows_ = {};
}

Table WindowEvaluations::rows_of(const Evaluation& evaluation, const TaskWeighting& weighting) const {
    Table rows;
    const auto& events = pruner_->events();
    const auto key = context_.row(static_cast<int64_t>(events.size()), pruner_->iteration());
    add_evaluation(rows, key, context_.tasks, evaluation);
    add_learned_weights(rows, key, context_.tasks, weighting);
    add_network(rows, key, pruner_->pruner().cost(), pruner_->widths());
    if (!events.empty()) add_scores(rows, key, events.back().mean_scores);
    return rows;
}

TensorMap WindowEvaluations::state() const {
    return {{"rows", text_tensor(rows_.text())},
            {"window_rows", text_tensor(window_rows_.text())},
            {"window_loss", torch::tensor(window_loss_, torch::kDouble)}};
}

void WindowEvaluations::load_state(const TensorMap& state) {
    rows_ = table_of(state.at("rows"));
    window_rows_ = table_of(state.at("window_rows"));
    window_loss_ = state.at("window_loss").item<double>();
}

}  // namespace mtlprune
