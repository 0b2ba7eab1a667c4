#include "reproduce/stages/retraining.h"

#include <fmt/format.h>

#include <algorithm>

#include "models/placement.h"
#include "pruning/cost/cost.h"
#include "pruning/surgery/kept_maps.h"
#include "pruning/surgery/surgery.h"
#include "training/callbacks/feature_distillation.h"

namespace mtlprune {
namespace {

constexpr int64_t kMostIterations = 1'000'000'000;
constexpr double kMostWeight = 1e6;

/// With the weights that pruning left it after the event.
PrunedNetwork network_after(const StageContext& context, const PrunedArchitecture& architecture) {
    const auto& folder = context.needs.at(0);
    auto file = folder / network_file(architecture.event);
    if (!std::filesystem::exists(file)) {
        const int64_t last = pruned_architectures(folder).back().event;
        if (architecture.event != last)
            throw Error(
                "re-training", fmt::format("{}: start", context.stage.name),
                fmt::format("the last event ({}), or \"keep_networks\": true in the prune stage", last),
                fmt::format("fine_tune from event {}, whose weights were not kept", architecture.event));
        file = folder / "checkpoint.pt";
    }
    auto network = load_network(context.experiment.model, context.tasks, load_tensors(file));
    // What was only masked leaves now.
    const std::vector<Plan> rest(
        architecture.steps.begin() + static_cast<std::ptrdiff_t>(network.steps.size()),
        architecture.steps.end());
    replay(*network.model, rest);
    network.steps = architecture.steps;
    return network;
}

/// The same architecture with weights that were never pruned.
PrunedNetwork network_anew(const StageContext& context, const PrunedArchitecture& architecture) {
    const auto& stage = context.stage;
    if (stage.retraining.start == RetrainStart::rewind) {
        const auto dense = first_network(context, stage.from_seed.value_or(stage.seed));
        replay(*dense, architecture.steps);
        return {dense, architecture.steps};
    }
    const auto model = make_model(context.experiment.model, context.tasks);
    replay(*model, architecture.steps);
    model->initialise(stage.seed);
    return {model, architecture.steps};
}

}  // namespace

Retraining read_retraining_arm(JsonReader& reader) {
    Retraining retraining;
    retraining.start = reader.choice("start", retraining.start, retrain_starts());
    if (retraining.start == RetrainStart::scratch) reader.leave_out("start");
    retraining.length = reader.choice("length", retraining.length, retrain_lengths());
    if (retraining.length == RetrainLength::iterations) reader.leave_out("length");
    retraining.max_iterations = reader.integer("max_iterations", 0, 0, kMostIterations);
    if (retraining.max_iterations == 0) reader.leave_out("max_iterations");
    retraining.distillation = reader.number("distillation", 0.0, 0.0, kMostWeight);
    if (retraining.distillation == 0.0) reader.leave_out("distillation");
    return retraining;
}

std::string network_file(int64_t event) {
    return fmt::format("network_{}.pt", event);
}

TrainRecipe stretched_recipe(const StageContext& context, const ModelPtr& model) {
    auto recipe = context.stage.training;
    const ModelPtr dense = make_model(context.experiment.model, context.tasks);
    place(*dense, context.device);
    const auto macs = [&](const ModelPtr& network) {
        return static_cast<double>(cost_of(couple_network(context, network).graph).macs);
    };
    auto iterations =
        static_cast<int64_t>(static_cast<double>(recipe.iterations) * macs(dense) / macs(model));
    if (const int64_t most = context.stage.retraining.max_iterations; most > 0)
        iterations = std::min(iterations, most);
    recipe.learning_rate_schedule =
        stretched(recipe.learning_rate_schedule,
                  static_cast<double>(iterations) / static_cast<double>(recipe.iterations));
    recipe.iterations = iterations;
    return recipe;
}

std::shared_ptr<Callback> distillation_of(const StageContext& context, const std::vector<Plan>& steps) {
    if (context.parallel)
        throw Error("configuration", fmt::format("{}: distillation", context.stage.name), "one process",
                    fmt::format("{}", context.ranks()));
    const auto teacher = load_network(context.experiment.model, context.tasks,
                                      load_tensors(context.needs.at(1) / "checkpoint.pt"));
    place(*teacher.model, context.device);
    const auto dense = make_model(context.experiment.model, context.tasks);
    replay(*dense, teacher.steps);
    place(*dense, context.device);
    const std::vector<Plan> since(steps.begin() + static_cast<std::ptrdiff_t>(teacher.steps.size()),
                                  steps.end());
    return std::make_shared<FeatureDistillation>(teacher.model,
                                                 kept_of_maps(*dense, example_image(context), since),
                                                 context.stage.retraining.distillation);
}

PrunedNetwork network_to_retrain(const StageContext& context, const PrunedArchitecture& architecture) {
    return context.stage.retraining.start == RetrainStart::fine_tune ? network_after(context, architecture)
                                                                     : network_anew(context, architecture);
}

}  // namespace mtlprune
