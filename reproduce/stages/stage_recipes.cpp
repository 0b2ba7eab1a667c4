#include "reproduce/stages/stage_recipes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "reproduce/results/stage_rows.h"

namespace mtlprune {
namespace {

constexpr int64_t kMost = 1'000'000'000;

ArchitectureChoice read_architecture(JsonReader& reader) {
    ArchitectureChoice choice;
    choice.parameters_fraction = reader.number("parameters_fraction", 0.0, 0.0, 1.0);
    if (reader.has("event")) choice.event = reader.integer("event", 0, 0, kMost);
    if (choice.event.has_value() == (choice.parameters_fraction > 0.0))
        throw Error("configuration", reader.place(), "parameters_fraction or event",
                    choice.event ? "both" : "neither");
    return choice;
}

StageRecipe read_stage(const std::string& name, JsonReader reader) {
    StageRecipe stage;
    stage.name = name;
    stage.kind = stage_kinds().value(reader.require<std::string>("kind"), reader.place() + ": kind");
    if (stage.kind == StageKind::prune || stage.kind == StageKind::retrain)
        stage.from = reader.require<std::string>("from");
    if (stage.kind == StageKind::constant)
        stage.strategy = kConstantPredictor;
    else
        stage.strategy = stage.kind == StageKind::prune ? reader.require<std::string>("strategy")
                                                        : reader.get<std::string>("strategy", name);
    if (stage.kind == StageKind::prune)
        stage.prune = named_strategy(stage.strategy, strategy_changes(reader), reader.place());
    if (stage.kind == StageKind::retrain) {
        stage.architecture = read_architecture(reader);
        const int64_t seed = reader.integer("from_seed", -1, -1, kMost);
        if (seed >= 0) stage.from_seed = static_cast<uint64_t>(seed);
    }
    if (stage.kind != StageKind::constant)
        stage.training = read_recipe(reader, stage.kind == StageKind::prune ? 0 : 1);
    if (stage.masks_weights() && stage.training.iterations == 0)
        throw Error("configuration", reader.place() + ": iterations",
                    "how long the network trains under weight_masking", "0");
    reader.finish();
    stage.recipe = reader.resolved();
    for (const char* key : {"from", "from_seed", "strategy", "check_finite_every"}) stage.recipe.erase(key);
    if (stage.kind == StageKind::prune) stage.recipe.update(stage.prune.json);
    return stage;
}

bool may_start_from(StageKind kind, StageKind from) {
    if (kind == StageKind::retrain) return from == StageKind::prune;
    return from == StageKind::train || from == StageKind::retrain;
}

void require_fitting(const std::vector<StageRecipe>& stages, const std::string& place) {
    std::vector<std::string> names;
    for (const auto& stage : stages) names.push_back(stage.name);
    for (const auto& stage : stages) {
        if (stage.from.empty()) continue;
        const auto where = fmt::format("{}: {}: from", place, stage.name);
        const auto from = std::find(names.begin(), names.end(), stage.from);
        if (from == names.end())
            throw Error("configuration", where, "the name of a stage",
                        fmt::format("'{}'{}", stage.from, did_you_mean(stage.from, names)));
        const auto kind = stages[static_cast<size_t>(from - names.begin())].kind;
        if (!may_start_from(stage.kind, kind))
            throw Error("configuration", where,
                        stage.kind == StageKind::retrain ? "a prune stage" : "a train or retrain stage",
                        fmt::format("'{}', a {} stage", stage.from, stage_kinds().name(kind)));
    }
}

/// Constants first, then every stage after the one that it starts from.
std::vector<StageRecipe> ordered(std::vector<StageRecipe> stages, const std::string& place) {
    std::stable_partition(stages.begin(), stages.end(),
                          [](const StageRecipe& stage) { return stage.kind == StageKind::constant; });
    std::vector<StageRecipe> result;
    std::set<std::string> placed;
    while (result.size() < stages.size()) {
        const size_t before = result.size();
        for (const auto& stage : stages) {
            if (placed.contains(stage.name) || (!stage.from.empty() && !placed.contains(stage.from)))
                continue;
            placed.insert(stage.name);
            result.push_back(stage);
        }
        if (result.size() == before)
            throw Error("configuration", place, "stages without a circle", "some that start from each other");
    }
    return result;
}

/// Keys at their defaults are left out, as stage descriptions that are stored know nothing of them.
void read_callbacks(JsonReader& reader, TrainRecipe& recipe) {
    recipe.ema_decay = reader.number("ema_decay", 0.0, 0.0, std::nextafter(1.0, 0.0));
    recipe.check_finite_every = reader.integer("check_finite_every", 0, 0, kMost);
    recipe.count_subnormals_every = reader.integer("count_subnormals_every", 0, 0, kMost);
    if (recipe.ema_decay == 0.0) reader.leave_out("ema_decay");
    if (recipe.check_finite_every == 0) reader.leave_out("check_finite_every");
    if (recipe.count_subnormals_every == 0) reader.leave_out("count_subnormals_every");
}

}  // namespace

void require_distinct(std::vector<std::string> entries, const std::string& place) {
    std::sort(entries.begin(), entries.end());
    const auto twice = std::adjacent_find(entries.begin(), entries.end());
    if (twice != entries.end())
        throw Error("configuration", place, "different entries", fmt::format("{} twice", *twice));
}

TrainRecipe read_recipe(JsonReader& reader, int64_t least_iterations) {
    TrainRecipe recipe;
    recipe.optimizer = read_optimizer(reader.child("optimizer"));
    recipe.learning_rate_schedule = read_learning_rate_schedule(reader.child("learning_rate_schedule"));
    recipe.update = read_update_options(reader);
    read_callbacks(reader, recipe);
    recipe.iterations = reader.integer("iterations", 0, least_iterations, kMost);
    recipe.batch_size = reader.integer("batch_size", 16, 1, 4096);
    recipe.evaluate_every = reader.integer("evaluate_every", 0, 0, kMost);
    recipe.selection = selection_of(reader.choice("selection", "last", selection_words()));
    return recipe;
}

nlohmann::json strategy_changes(JsonReader& reader) {
    auto changes = nlohmann::json::object();
    for (const auto& key : strategy_keys())
        if (reader.has(key)) changes[key] = reader.require<nlohmann::json>(key);
    return changes;
}

std::vector<StageRecipe> read_stages(const nlohmann::json& json, const std::string& place) {
    if (!json.is_object() || json.empty())
        throw Error("configuration", place, "an object {name: stage} with at least one",
                    json.dump().substr(0, 40));
    std::vector<StageRecipe> stages;
    for (const auto& [name, description] : json.items())
        stages.push_back(read_stage(name, JsonReader(description, fmt::format("{}: {}", place, name))));
    require_fitting(stages, place);
    return ordered(std::move(stages), place);
}

void require_known_stages(const FigureStages& figures, const std::vector<StageRecipe>& stages,
                          const std::string& place) {
    std::vector<std::string> names, wanted = {figures.constant, figures.dense};
    for (const auto& stage : stages) names.push_back(stage.name);
    for (const auto& curve : figures.iterative) wanted.push_back(curve.stage);
    for (const auto& entry : figures.retrained) wanted.push_back(entry.stage);
    for (const auto& name : wanted)
        if (std::find(names.begin(), names.end(), name) == names.end())
            throw Error("configuration", place + ": figures", "names of stages",
                        fmt::format("'{}'{}", name, did_you_mean(name, names)));
    for (const auto& stage : stages)
        if (stage.name == figures.constant && stage.kind != StageKind::constant)
            throw Error("configuration", place + ": figures: constant", "a constant stage",
                        fmt::format("'{}', a {} stage", stage.name, stage_kinds().name(stage.kind)));
}

}  // namespace mtlprune
