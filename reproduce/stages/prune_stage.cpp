#include <fmt/format.h>

#include "base/random.h"
#include "models/parameter_count.h"
#include "models/placement.h"
#include "pruning/schedules/iterative_pruner.h"
#include "reproduce/results/stage_rows.h"
#include "reproduce/stages/experiment_data.h"
#include "reproduce/stages/stage_kinds.h"
#include "training/optimizer.h"

namespace mtlprune {
namespace {

/// Iterative pruning in progress. Window k (after k events) is `frequency` iterations long; its metrics are
/// taken at its end, just before the next event, and reported as those of event k.
class PruneRun {
  public:
    explicit PruneRun(StageContext& context)
        : context_(context),
          recipe_(context.stage.prune),
          training_(context.stage.training),
          test_(collect_split(context.experiment.data, "test", context.device)) {
        const auto checkpoint = context_.folder.load_checkpoint();
        const auto start = checkpoint ? *checkpoint : load_tensors(context_.needs.at(0) / "checkpoint.pt");
        model_ = load_model(context_.experiment.model, start);
        place(*model_, context_.device);
        pruner_ = std::make_unique<IterativePruner>(
            model_, example(),
            criteria().make(context_.stage.criterion, context_.experiment.fidelity == Fidelity::as_released),
            options());
        for (const auto& item : model_->named_parameters()) names_.push_back(item.key());
        optimizer_ = make_optimizer(model_->parameters(), training_.optimizer);
        loader_ = training_loader(context_.experiment.data, training_.batch_size, context_.stage.seed,
                                  context_.device);
        if (checkpoint) load(*checkpoint);
    }

    void run() {
        model_->train();
        const int64_t epoch = loader_->batches_per_epoch();
        loader_->seek(pruner_->iteration() / epoch, pruner_->iteration() % epoch);
        const double windows = static_cast<double>(event_count() + 1);
        while (true) {
            const bool due = pruner_->due();
            const int64_t every = training_.evaluate_every;
            if (due || (every > 0 && pruner_->iteration() > 0 && pruner_->iteration() % every == 0))
                evaluate_now(due);
            if (due && (pruner_->finished() || capped())) break;
            step();
            if (due && recipe_.reset_optimizer)
                optimizer_ = make_optimizer(model_->parameters(), training_.optimizer);
            if (checkpoint_due(context_.folder)) context_.folder.save_checkpoint(state());
            context_.progress(static_cast<double>(pruner_->iteration()) /
                              (windows * static_cast<double>(recipe_.frequency)));
        }
        finish();
    }

  private:
    torch::Tensor example() const {
        const auto& transform = context_.experiment.data.transform;
        return torch::zeros({1, 3, transform.height, transform.width}, context_.device);
    }

    IterativePrunerOptions options() const {
        return {recipe_.frequency, lowest_of_backbone(recipe_.filters_per_event, recipe_.floor),
                context_.experiment.fidelity, recipe_.edit};
    }

    int64_t event_count() const {
        int64_t removable = 0;
        for (const int64_t width : context_.experiment.model.widths)
            removable += std::max<int64_t>(0, width - recipe_.floor);
        return (removable + recipe_.filters_per_event - 1) / recipe_.filters_per_event;
    }

    bool capped() const {
        const int64_t cap = training_.iterations;
        return cap > 0 && pruner_->iteration() + 1 >= cap;
    }

    void step() {
        const int64_t iteration = pruner_->iteration();
        set_learning_rate(*optimizer_, learning_rate(training_.schedule, training_.optimizer.lr,
                                                     iteration / training_.schedule_every));
        // Offset: the dense training before drew the keys from 0 on.
        model_->set_dropout_key(
            mix_key(context_.stage.seed, Stream::method, static_cast<uint64_t>(iteration), 1));
        pruner_->step(loader_->next().to(context_.device), optimizer_.get());
        optimizer_->step();
    }

    void evaluate_now(bool window_ends) {
        const auto evaluation = evaluate(model_, test_, context_.experiment.fidelity, pruner_->gates());
        const double loss = evaluation.total_loss();
        const bool best = training_.selection != "last";
        if (!best || window_rows_.empty() || loss < window_loss_) {
            window_loss_ = loss;
            window_rows_ = rows_of(evaluation);
        }
        if (!window_ends) return;
        rows_.append(window_rows_);
        window_rows_ = {};
    }

    Table rows_of(const Evaluation& evaluation) const {
        Table rows;
        const auto& events = pruner_->events();
        const auto key = context_.row(static_cast<int64_t>(events.size()), pruner_->iteration());
        add_evaluation(rows, key, context_.experiment.model.tasks, evaluation);
        add_network(rows, key, pruned_config(), context_.experiment.data.transform);
        if (!events.empty()) add_scores(rows, key, events.back().mean_scores);
        return rows;
    }

    ModelConfig pruned_config() const {
        auto config = model_->config();
        config.widths = pruner_->widths();
        return config;
    }

    TensorMap state() const {
        auto state = model_state(model_, removals());
        state.merge(with_prefix("optimizer.", optimizer_state(*optimizer_, names_)));
        state.merge(with_prefix("pruner.", pruner_->state()));
        state["rows"] = text_tensor(rows_.text());
        state["window_rows"] = text_tensor(window_rows_.text());
        state["window_loss"] = torch::tensor(window_loss_, torch::kDouble);
        return state;
    }

    void load(const TensorMap& state) {
        pruner_->load_state(entries_of("pruner.", state));
        load_optimizer_state(*optimizer_, names_, entries_of("optimizer.", state));
        rows_ = Table::parse(tensor_text(state.at("rows")), "rows of the checkpoint");
        window_rows_ = Table::parse(tensor_text(state.at("window_rows")), "rows of the checkpoint's window");
        window_loss_ = state.at("window_loss").item<double>();
    }

    void finish() {
        context_.folder.write_rows(rows_, context_.row());
        context_.folder.write("plan.json", plan().dump(1) + "\n");
        context_.folder.save_checkpoint(model_state(model_, removals()));
    }

    std::vector<Plan> steps() const {
        std::vector<Plan> steps;
        for (const auto& event : pruner_->events()) steps.push_back(event.plan);
        return steps;
    }

    /// What a checkpoint's network is built by: masks leave it as it is.
    std::vector<Plan> removals() const {
        return recipe_.edit == EditKind::mask ? std::vector<Plan>{} : steps();
    }

    nlohmann::json plan() const {
        auto config = context_.experiment.model;
        auto plan = steps_to_json(steps());
        plan["criterion"] = context_.stage.criterion;
        plan["parameters"] = {parameter_count(config)};
        plan["events"] = nlohmann::json::array();
        for (const auto& event : pruner_->events()) {
            config.widths = event.widths;
            plan["parameters"].push_back(parameter_count(config));
            plan["events"].push_back({{"removed", event.removed}, {"mean_scores", event.mean_scores}});
        }
        return plan;
    }

    StageContext& context_;
    const PruneRecipe& recipe_;
    const TrainRecipe& training_;
    std::vector<Batch> test_;
    MultiTaskModel model_{nullptr};
    std::unique_ptr<IterativePruner> pruner_;
    std::vector<std::string> names_;
    std::unique_ptr<torch::optim::Optimizer> optimizer_;
    std::unique_ptr<Loader> loader_;
    Table rows_, window_rows_;
    double window_loss_ = 0.0;
};

}  // namespace

void run_prune_stage(StageContext& context) {
    PruneRun(context).run();
}

}  // namespace mtlprune
