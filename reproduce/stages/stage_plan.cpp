#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/json_reader.h"
#include "models/backbones/backbone.h"
#include "pruning/criteria/criterion.h"
#include "reproduce/stages/stage.h"

namespace mtlprune {
namespace {

/// Output channels of the backbone's layers: about what may be pruned.
int64_t backbone_channels(const Experiment& experiment) {
    int64_t channels = 0;
    for (const auto& parameter : backbones().make(experiment.model.backbone)->parameters())
        if (parameter.dim() > 1) channels += parameter.size(0);
    return channels;
}

int64_t event_count(int64_t channels, const Strategy& strategy) {
    if (strategy.schedule.events > 0) return strategy.schedule.events;
    const auto& budget = strategy.allocation.budget;
    const double per_event =
        budget.unit == BudgetUnit::count ? budget.value : budget.value * static_cast<double>(channels);
    return static_cast<int64_t>(static_cast<double>(channels) / std::max(1.0, per_event)) + 1;
}

int64_t images_of_iteration(const TrainRecipe& recipe) {
    return recipe.batch_size * recipe.update.accumulate;
}

/// In forward passes of the dense network on one image.
double prune_cost(int64_t channels, const StageRecipe& stage) {
    // Networks shrink linearly in channels, so their cost averages to about 0.4 of the dense one's.
    const double passes = criteria().make(stage.prune.criterion)->needs().task_gradients ? 7.0 : 3.0;
    const int64_t windows = event_count(channels, stage.prune) + 1;
    return passes * 0.4 *
           static_cast<double>(windows * stage.prune.schedule.frequency *
                               images_of_iteration(stage.training));
}

double cost_of_stage(int64_t channels, const StageRecipe& stage) {
    if (stage.kind == StageKind::constant) return 0.0;
    if (stage.kind == StageKind::prune && !stage.masks_weights()) return prune_cost(channels, stage);
    const double fraction = stage.architecture.parameters_fraction;
    const bool whole = stage.kind == StageKind::train || stage.masks_weights();
    const double shrink = whole ? 1.0 : fraction > 0 ? std::max(0.2, fraction) : 0.5;
    return 3.0 * shrink *
           static_cast<double>(stage.training.iterations * images_of_iteration(stage.training));
}

/// A stage with the identity and seed of an earlier one has its result already.
void share_equal_stages(std::vector<Stage>& plan) {
    std::map<std::pair<std::string, uint64_t>, size_t> known;
    for (size_t i = 0; i < plan.size(); ++i) {
        if (plan[i].kind == StageKind::constant) continue;
        const auto [first, added] = known.emplace(std::pair(plan[i].hash(), plan[i].seed), i);
        if (added) continue;
        plan[i].repeats = true;
        plan[i].needs = {first->second};
        plan[i].cost *= 1e-3;
    }
}

}  // namespace

std::filesystem::path Stage::folder(const std::filesystem::path& runs) const {
    return runs / fmt::format("{}_{}", name, hash()) / fmt::format("seed_{}", seed);
}

std::vector<Stage> plan_stages(const Experiment& experiment, const Behaviour& behaviour) {
    const auto data = data_identity(experiment);
    const int64_t channels = backbone_channels(experiment);
    std::vector<Stage> plan;
    for (const auto& recipe : experiment.stages)
        for (const uint64_t seed : experiment.seeds) {
            const bool once = recipe.kind == StageKind::constant;
            Stage stage{recipe, once ? 0 : seed, {}, {}, false, cost_of_stage(channels, recipe)};
            if (!recipe.from.empty())
                stage.needs = {find_stage(plan, recipe.from, recipe.from_seed.value_or(seed))};
            const auto from = stage.needs.empty() ? "" : plan[stage.needs[0]].hash();
            stage.identity = stage_identity(experiment, recipe, data, from, behaviour);
            plan.push_back(std::move(stage));
            if (once) break;
        }
    share_equal_stages(plan);
    return plan;
}

size_t find_stage(const std::vector<Stage>& plan, const std::string& name, uint64_t seed) {
    std::vector<std::string> names;
    for (size_t i = 0; i < plan.size(); ++i) {
        if (plan[i].name == name && plan[i].seed == seed) return i;
        names.push_back(plan[i].name);
    }
    const bool known = std::find(names.begin(), names.end(), name) != names.end();
    throw Error("experiment", fmt::format("stage {} (seed {})", name, seed), "a stage of the plan",
                known ? "no such seed" : "no such stage" + did_you_mean(name, names));
}

nlohmann::json plan_to_json(const std::vector<Stage>& plan, const std::filesystem::path& runs) {
    auto stages = nlohmann::json::array();
    for (const auto& stage : plan) {
        auto needs = nlohmann::json::array();
        for (const size_t need : stage.needs)
            needs.push_back({{"name", plan[need].name}, {"seed", plan[need].seed}});
        const auto folder = stage.folder(runs);
        stages.push_back({{"name", stage.name},
                          {"kind", stage_kinds().name(stage.kind)},
                          {"seed", stage.seed},
                          {"needs", needs},
                          {"hash", stage.hash()},
                          {"folder", folder.string()},
                          {"done", std::filesystem::exists(folder / "DONE")},
                          {"cost", stage.cost}});
    }
    return stages;
}

}  // namespace mtlprune
