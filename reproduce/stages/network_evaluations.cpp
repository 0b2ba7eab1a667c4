#include "reproduce/stages/network_evaluations.h"

#include <torch/utils.h>

#include "reproduce/results/stage_rows.h"
#include "reproduce/stages/experiment_data.h"

namespace mtlprune {
namespace {

/// The model has other weights as long as it lives.
class OtherWeights {
  public:
    OtherWeights(Model& model, const TensorMap& weights) : model_(model) {
        for (const auto& [name, tensor] : module_state(model)) own_[name] = tensor.clone();
        load_module_state(model, weights);
    }
    ~OtherWeights() { load_module_state(model_, own_); }
    OtherWeights(const OtherWeights&) = delete;
    OtherWeights& operator=(const OtherWeights&) = delete;

  private:
    Model& model_;
    TensorMap own_;
};

TensorMap copy_of(const Model& model) {
    TensorMap copies;
    for (const auto& [name, tensor] : module_state(model)) copies[name] = tensor.clone();
    return copies;
}

}  // namespace

NetworkEvaluations::NetworkEvaluations(StageContext& context)
    : context_(context), selection_(context.stage.training.selection) {
    if (!context.first()) return;
    test_ = collect_split(context.experiment.data, "test", context.device);
    if (context.stage.training.looks_at_held_out())
        held_out_ = collect_split(context.experiment.data, "val", context.device);
}

Evaluation NetworkEvaluations::evaluate_on(Trainer& trainer, const std::vector<Batch>& batches) const {
    return evaluate(trainer.model(), batches, context_.experiment.fidelity);
}

void NetworkEvaluations::add_rows(Trainer& trainer, const TableRow& key, const std::string& split,
                                  const Evaluation& evaluation) {
    add_evaluation(rows_, key, split, context_.tasks, evaluation);
    const auto& weighting = trainer.weighting();
    if (!weighting.learns()) return;
    const auto weights = weighting.weights().to(torch::kCPU, torch::kDouble).contiguous();
    const double* values = weights.data_ptr<double>();
    add_task_weights(rows_, key, context_.tasks, {values, values + weights.numel()});
}

void NetworkEvaluations::look(Trainer& trainer, const TableRow& key) {
    if (closed_) best_iteration_ = -1;
    closed_ = false;
    if (!held_out_ && !selection_.on_test) return;
    const EvaluatedWeights weights(trainer);
    const auto evaluation = evaluate_on(trainer, held_out_ ? *held_out_ : test_);
    add_rows(trainer, key, held_out_ ? "val" : "test", evaluation);
    if (selection_.is_last) return;
    const double score = selection_.score(evaluation);
    if (best_iteration_ >= 0 && !(score > best_score_)) return;
    best_score_ = score;
    best_iteration_ = key.step;
    best_network_ = copy_of(trainer.model());
}

void NetworkEvaluations::test(Trainer& trainer, const TableRow& key) {
    ImageMetrics images;
    const auto evaluation = evaluate(trainer.model(), test_, context_.experiment.fidelity, &images);
    images_.add(key.event, key.step, images);
    if (selection_.on_test) return;  // its rows are there since look()
    if (held_out_)
        add_evaluation(rows_, key, "test", context_.tasks, evaluation);
    else
        add_rows(trainer, key, "test", evaluation);
}

int64_t NetworkEvaluations::close(Trainer& trainer, const TableRow& key) {
    look(trainer, key);
    const EvaluatedWeights weights(trainer);
    test(trainer, key);
    if (best_iteration_ < 0 || best_iteration_ == key.step) {
        best_iteration_ = key.step;
        best_network_ = copy_of(trainer.model());
    } else {
        const OtherWeights selected(trainer.model(), best_network_);
        auto other = key;
        other.step = best_iteration_;
        test(trainer, other);
    }
    closed_ = true;
    auto fact = key;
    fact.step = 0;
    add_fact(rows_, fact, "selected_step", static_cast<double>(best_iteration_));
    return best_iteration_;
}

TensorMap NetworkEvaluations::state() const {
    auto state = with_prefix("best.", best_network_);
    state.merge(with_prefix("images.", images_.state()));
    state["rows"] = text_tensor(rows_.text());
    state["closed"] = torch::tensor(closed_);
    state["best_iteration"] = torch::tensor(best_iteration_);
    state["best_score"] = torch::tensor(best_score_, torch::kDouble);
    return state;
}

void NetworkEvaluations::load_state(const TensorMap& state) {
    rows_ = Table::parse(tensor_text(state.at("rows")), "rows of the checkpoint");
    images_.load_state(entries_of("images.", state));
    closed_ = state.at("closed").item<bool>();
    best_iteration_ = state.at("best_iteration").item<int64_t>();
    best_score_ = state.at("best_score").item<double>();
    best_network_ = entries_of("best.", state);
}

}  // namespace mtlprune
