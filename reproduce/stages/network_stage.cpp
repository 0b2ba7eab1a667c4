// A stage that trains a network, with or without pruning it.
#include <fmt/format.h>
#include <torch/utils.h>

#include "base/atomic_file.h"
#include "base/json_reader.h"
#include "models/placement.h"
#include "pruning/surgery/surgery.h"
#include "reproduce/results/stage_rows.h"
#include "reproduce/stages/curve_files.h"
#include "reproduce/stages/experiment_data.h"
#include "reproduce/stages/retraining.h"
#include "reproduce/stages/stage_callbacks.h"
#include "training/callbacks/finite_guard.h"
#include "training/callbacks/subnormal_counts.h"
#include "training/callbacks/weight_average.h"

namespace mtlprune {
namespace {

constexpr int64_t kCurveEvery = 10;  ///< iterations

/// Channels leave, in events whose number decides how long it takes.
bool prunes_channels(const Stage& stage) {
    return stage.kind == StageKind::prune && !stage.masks_weights();
}

TrainerOptions trainer_options(const StageContext& context) {
    const auto& recipe = context.stage.training;
    const bool prunes = context.stage.kind == StageKind::prune;
    return {.optimizer = recipe.optimizer,
            .learning_rate_schedule = recipe.learning_rate_schedule,
            .update = recipe.update,
            // The pruner stops, at the end of a window.
            .iterations = prunes_channels(context.stage) ? 0 : recipe.iterations,
            .losses = context.experiment.fidelity.losses,
            .seed = context.stage.seed,
            .phase = prunes ? 1U : 0U,
            .parallel = context.parallel};
}

/// What a stage does in every iteration, and the counts that the recipe may ask for.
struct StageCallbacks {
    std::vector<std::shared_ptr<Callback>> all;
    std::shared_ptr<SubnormalCounts> subnormals;
    std::shared_ptr<CurveFiles> curve_files;
    std::shared_ptr<LearningCurve> curve;
};

/// What the recipe asks for around `first`. The guard comes before all: what follows must not see what it
/// stops at. What only writes is for the first process.
StageCallbacks callbacks_of(StageContext& context, const ModelPtr& model,
                            std::vector<std::shared_ptr<Callback>> first) {
    const auto& recipe = context.stage.training;
    StageCallbacks callbacks{std::move(first), nullptr, std::make_shared<CurveFiles>(context), nullptr};
    callbacks.curve = std::make_shared<LearningCurve>(
        kCurveEvery, [files = callbacks.curve_files](const LearningCurve::Point& point, int64_t images) {
            files->add(point, images);
        });
    if (context.first()) callbacks.all.push_back(callbacks.curve);
    if (recipe.check_finite_every > 0)
        callbacks.all.insert(callbacks.all.begin(),
                             std::make_shared<FiniteGuard>(context.folder.path(), recipe.check_finite_every,
                                                           context.parallel ? context.parallel->rank() : 0));
    if (recipe.ema_decay > 0.0)
        callbacks.all.push_back(std::make_shared<WeightAverage>(model, recipe.ema_decay));
    if (recipe.count_subnormals_every > 0 && context.first())
        callbacks.all.push_back(callbacks.subnormals =
                                    std::make_shared<SubnormalCounts>(recipe.count_subnormals_every));
    return callbacks;
}

/// Runs the trainer from where the stage was left.
void run_trainer(StageContext& context, Trainer& trainer, const StageCallbacks& callbacks,
                 const std::optional<TensorMap>& saved) {
    if (saved) trainer.load_state(*saved);
    if (context.parallel) context.parallel->require_equal("the checkpoint's iteration", trainer.iteration());
    if (context.first()) callbacks.curve_files->begin(callbacks.curve->points());
    const auto loader =
        training_loader(context.experiment.data, context.stage.training.batch_size, context.stage.seed,
                        context.device, context.parallel ? context.parallel->rank() : 0, context.ranks());
    const int64_t epoch = loader->batches_per_epoch();
    const int64_t seen = trainer.iteration() * context.stage.training.update.accumulate;
    loader->seek(seen / epoch, seen % epoch);
    trainer.run([&] { return loader->next().to(context.device); });
    if (context.first()) callbacks.curve_files->finish(callbacks.curve->points());
}

struct Start : PrunedNetwork {
    int64_t event = 0;  ///< of the pruning stage whose architecture this is
};

/// The network that the stage begins with, had nothing been saved.
PrunedNetwork new_network(const StageContext& context, const PrunedArchitecture& architecture) {
    switch (context.stage.kind) {
        case StageKind::prune:
            return load_network(context.experiment.model, context.tasks,
                                load_tensors(context.needs.at(0) / "checkpoint.pt"));
        case StageKind::retrain:
            return network_to_retrain(context, architecture);
        default:
            return {first_network(context, context.stage.seed), {}};
    }
}

/// The network that the stage goes on with, or begins with.
Start start_of(StageContext& context, const std::optional<TensorMap>& saved) {
    PrunedArchitecture architecture{};
    if (context.stage.kind == StageKind::retrain)
        architecture = pruned_architecture(context.needs.at(0), context.stage.retraining.architecture);
    Start start{saved ? load_network(context.experiment.model, context.tasks, *saved)
                      : new_network(context, architecture),
                architecture.event};
    place(*start.model, context.device);
    return start;
}

struct Size {
    Cost cost;
    std::vector<int64_t> widths;  ///< of the groups that all tasks share
};

Size size_of(const StageContext& context, const ModelPtr& model) {
    const auto coupling = couple_network(context, model);
    Size size{cost_of(coupling.graph), {}};
    for (const size_t group : open_groups(coupling, coupling.groups, {.only = {kSharedGroups}}))
        size.widths.push_back(coupling.groups[group].channels);
    return size;
}

/// These callbacks in the first process, none in others.
std::vector<std::shared_ptr<Callback>> of_first(const StageContext& context,
                                                std::vector<std::shared_ptr<Callback>> callbacks) {
    if (!context.first()) callbacks.clear();
    return callbacks;
}

/// Null unless the stage masks weights.
std::shared_ptr<WeightMaskTraining> make_masks(const StageContext& context, const ModelPtr& model) {
    const auto& stage = context.stage;
    if (!stage.masks_weights()) return nullptr;
    const bool as_released = context.experiment.fidelity.criteria == Fidelity::as_released;
    return std::make_shared<WeightMaskTraining>(
        model, weight_maskings().make(stage.prune.weight_masking, as_released), stage.training.iterations,
        stage.seed);
}

/// How a stage came to its network that prunes no channels: `before` are the steps that did; it has one
/// architecture.
nlohmann::json plan_of_masks(const StageContext& context, const std::vector<Plan>& before,
                             const WeightMasks& masks, int64_t parameters) {
    auto plan = steps_to_json({});
    plan["before"] = steps_to_json(before);
    plan["weight_masking"] = context.stage.prune.weight_masking;
    for (const auto& layer : masks.layers()) plan["weight_density"][layer.name] = layer.count().density();
    plan["parameters"] = {parameters};
    plan["events"] = nlohmann::json::array();
    return plan;
}

/// Trains `start`; the stage's recipe is complete.
void train(StageContext& context, const Start& start, const std::optional<TensorMap>& saved) {
    const auto steps = [&] { return start.steps; };
    const auto masks = make_masks(context, start.model);
    const auto callback = std::make_shared<TrainingEvaluations>(context, start.event, masks);
    const auto keeper =
        std::make_shared<StageProgressKeeper>(context, context.stage.training.iterations, steps);
    auto first = of_first(context, {keeper, callback});
    if (context.stage.retraining.distillation > 0.0) first.push_back(distillation_of(context, start.steps));
    if (masks) first.push_back(masks);
    const auto callbacks = callbacks_of(context, start.model, first);
    Trainer trainer(start.model, trainer_options(context), callbacks.all);
    run_trainer(context, trainer, callbacks, saved);
    if (!context.first()) return;

    auto& evaluations = callback->evaluations();
    auto rows = evaluations.rows();
    if (callbacks.subnormals) add_subnormals(rows, context.row(start.event), *callbacks.subnormals);
    const auto& stage = context.stage;
    const auto key = context.row(start.event, callback->selected_iteration());
    const auto size = size_of(context, start.model);
    add_network(rows, key, size.cost, size.widths);
    if (masks) add_weight_density(rows, key, masks->masks());
    add_fact(rows, context.row(), "learning_rate", stage.training.optimizer.lr);
    if (stage.retraining.length == RetrainLength::macs)
        add_fact(rows, context.row(), "iterations", static_cast<double>(stage.training.iterations));
    context.folder.write_rows(rows, context.row());
    evaluations.images().write(context.folder.path() / kImageMetricsName, context.tasks);
    const auto plan = masks ? plan_of_masks(context, start.steps, masks->masks(), size.cost.parameters)
                            : steps_to_json(start.steps);
    context.folder.write("plan.json", plan.dump(1) + "\n");
    auto state = network_state(*start.model, start.steps);
    for (auto& [name, tensor] : with_prefix("model.", evaluations.selected_network())) state[name] = tensor;
    if (masks) {
        masks->masks().save(context.folder.path() / kWeightMasksName);
        state.merge(with_prefix("weight_masks.", masks->masks().state()));
    }
    context.folder.save_checkpoint(state);
}

void train(StageContext& context) {
    const auto saved = context.folder.load_checkpoint();
    const auto start = start_of(context, saved);
    if (context.stage.retraining.length == RetrainLength::iterations) return train(context, start, saved);
    Stage stage = context.stage;
    stage.training = stretched_recipe(context, start.model);
    StageContext stretched{context.experiment, stage,          context.tasks,    context.needs,
                           context.folder,     context.device, context.progress, context.parallel,
                           context.status};
    train(stretched, start, saved);
}

/// Whatever a method draws follows the stage's seed, unless its own is given.
template <typename Kinds>
auto make_seeded(const Kinds& kinds, const std::string& text, const StageContext& context) {
    auto choice = parse_choice("strategy", text);
    for (const auto& option : kinds.at(choice.key).options)
        if (option.name == "seed" && !choice.options.contains("seed"))
            choice.options["seed"] = static_cast<int64_t>(context.stage.seed);
    return kinds.make(choice, context.experiment.fidelity.criteria == Fidelity::as_released);
}

/// The network that a pruning stage began with, if it has been pruned since; its weights do not matter.
ModelPtr unpruned_network(const StageContext& context, const std::vector<Plan>& before, bool resumes) {
    if (!resumes || context.stage.prune.edit == EditKind::mask) return nullptr;
    const auto model = make_model(context.experiment.model, context.tasks);
    replay(*model, before);
    place(*model, context.device);
    return model;
}

std::shared_ptr<IterativePruner> make_pruner(const StageContext& context, const ModelPtr& model,
                                             const ModelPtr& unpruned) {
    const auto& strategy = context.stage.prune;
    const auto& fidelity = context.experiment.fidelity;
    return std::make_shared<IterativePruner>(
        model, example_image(context), make_seeded(criteria(), strategy.criterion, context),
        IterativePrunerOptions{.frequency = strategy.schedule.frequency,
                               .patience = strategy.schedule.patience,
                               .allocation = strategy.allocation,
                               .iterations = context.stage.training.iterations,
                               .events = strategy.schedule.events,
                               .pace = strategy.schedule.pace,
                               .observed = strategy.schedule.observed,
                               .edit = strategy.edit,
                               .reset_optimizer = strategy.reset_optimizer,
                               .update = fidelity.update},
        strategy.regularizer.empty() ? nullptr : make_seeded(regularizers(), strategy.regularizer, context),
        strategy.search.empty() ? nullptr : make_seeded(searches(), strategy.search, context), unpruned);
}

std::vector<Plan> steps_of(const IterativePruner& pruner) {
    std::vector<Plan> steps;
    for (const auto& event : pruner.events()) steps.push_back(event.plan);
    return steps;
}

/// The steps of a stage that is done and does not prune.
std::vector<Plan> steps_of_stage(const std::filesystem::path& folder) {
    const auto file = (folder / "plan.json").string();
    return steps_from_json(parse_json(read_file(file, "stage result"), file), file);
}

/// The steps, the size after each, and what the criterion saw; `before`: what led to the network that is
/// pruned.
nlohmann::json plan_of(const StageContext& context, const std::vector<Plan>& before,
                       const IterativePruner& pruner) {
    auto plan = steps_to_json(steps_of(pruner));
    plan["before"] = steps_to_json(before);
    plan["criterion"] = context.stage.prune.criterion;
    if (!context.stage.prune.regularizer.empty()) plan["regularizer"] = context.stage.prune.regularizer;
    if (!context.stage.prune.search.empty()) plan["search"] = context.stage.prune.search;
    plan["events"] = nlohmann::json::array();
    const auto& events = pruner.events();
    const auto dense = events.empty() ? pruner.pruner().cost() : events.front().before;
    plan["parameters"] = {dense.parameters};
    for (const auto& event : events) {
        plan["parameters"].push_back(event.after.parameters);
        plan["events"].push_back({{"removed", event.removed}, {"mean_scores", event.mean_scores}});
        if (!event.notes.empty()) plan["events"].back()["notes"] = event.notes;
    }
    return plan;
}

void prune_and_train(StageContext& context) {
    const auto saved = context.folder.load_checkpoint();
    const auto start = start_of(context, saved);
    const auto before = steps_of_stage(context.needs.at(0));
    const auto pruner =
        make_pruner(context, start.model, unpruned_network(context, before, saved.has_value()));
    // Masks leave the network's shapes as they are.
    const auto steps = [&] {
        auto all = before;
        if (context.stage.prune.edit == EditKind::mask) return all;
        const auto events = steps_of(*pruner);
        all.insert(all.end(), events.begin(), events.end());
        return all;
    };
    const auto callback = std::make_shared<WindowEvaluations>(context, pruner);
    const auto networks = std::make_shared<WindowNetworks>(context, pruner, steps);
    const auto& schedule = context.stage.prune.schedule;
    const int64_t iterations = (pruner->expected_events() + 1) * (schedule.patience + 1) * schedule.frequency;
    const auto keeper = std::make_shared<StageProgressKeeper>(context, iterations, steps);
    pruner->tell_search_progress_to([&](int64_t done, int64_t total) {
        context.progress(static_cast<double>(pruner->iteration()) / static_cast<double>(iterations),
                         fmt::format("searching, group {} of {}", done + 1, total));
    });
    auto first = of_first(context, {keeper, callback, networks});
    first.push_back(pruner);
    const auto callbacks = callbacks_of(context, start.model, first);
    Trainer trainer(start.model, trainer_options(context), callbacks.all);
    run_trainer(context, trainer, callbacks, saved);
    if (!context.first()) return;

    auto& evaluations = callback->evaluations();
    auto rows = evaluations.rows();
    if (callbacks.subnormals) add_subnormals(rows, context.row(), *callbacks.subnormals);
    context.folder.write_rows(rows, context.row());
    evaluations.images().write(context.folder.path() / kImageMetricsName, context.tasks);
    context.folder.write("plan.json", plan_of(context, before, *pruner).dump(1) + "\n");
    const EvaluatedWeights weights(trainer);
    context.folder.save_checkpoint(network_state(*start.model, steps()));
}

}  // namespace

void run_network_stage(StageContext& context) {
    if (prunes_channels(context.stage))
        prune_and_train(context);
    else
        train(context);
}

}  // namespace mtlprune
