#include <fmt/format.h>
#include <torch/utils.h>

#include <optional>

#include "base/atomic_file.h"
#include "base/json_reader.h"
#include "base/random.h"
#include "models/placement.h"
#include "pruning/surgery/surgery.h"
#include "reproduce/results/stage_rows.h"
#include "reproduce/stages/experiment_data.h"
#include "reproduce/stages/pruned_architecture.h"
#include "reproduce/stages/stage_kinds.h"
#include "training/task_gradients.h"

namespace mtlprune {
namespace {

/// A dense or retrain stage in progress; all that a checkpoint must hold.
class TrainingRun {
  public:
    explicit TrainingRun(StageContext& context)
        : context_(context),
          recipe_(context.stage.training),
          model_(build()),
          test_(collect_split(context.experiment.data, "test", context.device)) {
        model_->initialise(context_.stage.seed);
        place(*model_, context_.device);
        for (const auto& item : model_->named_parameters()) names_.push_back(item.key());
        optimizer_ = make_optimizer(model_->parameters(), recipe_.optimizer);
        loader_ = training_loader(context_.experiment.data, recipe_.batch_size, context_.stage.seed,
                                  context_.device);
        if (const auto checkpoint = context_.folder.load_checkpoint()) load(*checkpoint);
    }

    void run() {
        model_->train();
        loader_->seek(iteration_ / loader_->batches_per_epoch(), iteration_ % loader_->batches_per_epoch());
        while (iteration_ < recipe_.iterations) {
            step();
            const bool last = iteration_ == recipe_.iterations;
            if (last || (recipe_.evaluate_every > 0 && iteration_ % recipe_.evaluate_every == 0))
                evaluate_now(last);
            if (!last && checkpoint_due(context_.folder)) context_.folder.save_checkpoint(state());
            context_.progress(static_cast<double>(iteration_) / static_cast<double>(recipe_.iterations));
        }
        finish();
    }

  private:
    /// The experiment's network, or what a plan leaves of it.
    MultiTaskModel build() {
        MultiTaskModel model(context_.experiment.model);
        if (context_.stage.kind != StageKind::retrain) return model;
        auto architecture = pruned_architecture(context_.needs.at(0), context_.stage.architecture);
        event_ = architecture.event;
        steps_ = std::move(architecture.steps);
        replay(*model, steps_);
        return model;
    }

    void step() {
        set_learning_rate(*optimizer_, learning_rate(recipe_.schedule, recipe_.optimizer.lr,
                                                     iteration_ / recipe_.schedule_every));
        model_->set_dropout_key(
            mix_key(context_.stage.seed, Stream::method, static_cast<uint64_t>(iteration_)));
        TaskGradients gradients(model_, loader_->next().to(context_.device), context_.experiment.fidelity);
        gradients.store(gradients.backbone_total());
        optimizer_->step();
        ++iteration_;
    }

    void evaluate_now(bool last) {
        const auto evaluation = evaluate(model_, test_, context_.experiment.fidelity);
        add_evaluation(rows_, context_.row(event_, iteration_), context_.experiment.model.tasks, evaluation);
        const double score = recipe_.selection == "best_loss" ? -evaluation.total_loss()
                             : recipe_.selection == "best_pixel_accuracy"
                                 ? evaluation.metric("pixel_accuracy")
                                 : static_cast<double>(last);
        if (best_iteration_ >= 0 && score <= best_score_) return;
        if (recipe_.selection == "last" && !last) return;
        best_score_ = score;
        best_iteration_ = iteration_;
        best_weights_.clear();
        for (const auto& [name, tensor] : model_state(model_, steps_)) best_weights_[name] = tensor.clone();
    }

    TensorMap state() const {
        auto state = model_state(model_, steps_);
        state.merge(with_prefix("optimizer.", optimizer_state(*optimizer_, names_)));
        state.merge(with_prefix("best.", best_weights_));
        state["iteration"] = torch::tensor(iteration_);
        state["rows"] = text_tensor(rows_.text());
        state["best_iteration"] = torch::tensor(best_iteration_);
        state["best_score"] = torch::tensor(best_score_, torch::kDouble);
        return state;
    }

    void load(const TensorMap& state) {
        const torch::NoGradGuard no_grad;
        for (auto& item : model_->named_parameters()) item.value().copy_(state.at("model." + item.key()));
        load_optimizer_state(*optimizer_, names_, entries_of("optimizer.", state));
        best_weights_ = entries_of("best.", state);
        iteration_ = state.at("iteration").item<int64_t>();
        rows_ = Table::parse(tensor_text(state.at("rows")), "rows of the checkpoint");
        best_iteration_ = state.at("best_iteration").item<int64_t>();
        best_score_ = state.at("best_score").item<double>();
    }

    void finish() {
        const auto config = model_->config();
        add_network(rows_, context_.row(event_, best_iteration_), config, context_.experiment.data.transform);
        add_fact(rows_, context_.row(), "learning_rate", recipe_.optimizer.lr);
        add_fact(rows_, context_.row(), "selected_step", static_cast<double>(best_iteration_));
        context_.folder.write_rows(rows_, context_.row());
        context_.folder.write("plan.json", steps_to_json(steps_).dump(1) + "\n");
        context_.folder.save_checkpoint(best_weights_);
    }

    StageContext& context_;
    TrainRecipe recipe_;
    int64_t event_ = 0;
    std::vector<Plan> steps_;  ///< from the experiment's network to this one
    MultiTaskModel model_;
    std::vector<Batch> test_;
    std::vector<std::string> names_;
    std::unique_ptr<torch::optim::Optimizer> optimizer_;
    std::unique_ptr<Loader> loader_;
    int64_t iteration_ = 0;
    Table rows_;
    int64_t best_iteration_ = -1;
    double best_score_ = 0.0;
    TensorMap best_weights_;
};

}  // namespace

void run_training_stage(StageContext& context) {
    TrainingRun(context).run();
}

}  // namespace mtlprune
