#include <fmt/format.h>

#include <algorithm>

#include "base/json_reader.h"
#include "models/parameter_count.h"
#include "reproduce/stages/stage.h"

namespace mtlprune {
namespace {

/// What every stage's result depends on.
nlohmann::json shared_config(const Experiment& experiment) {
    nlohmann::json config;
    for (const char* key : {"data", "model", "fidelity", "device", "threads_per_job"})
        config[key] = experiment.canonical.at(key);
    return config;
}

/// Forward MACs of one image, in billions, as a rough unit of time.
double forward_cost(const Experiment& experiment) {
    const auto macs =
        conv_macs(experiment.model, experiment.data.transform.height, experiment.data.transform.width);
    return static_cast<double>(macs.backbone + macs.heads) * 1e-9;
}

double training_cost(const Experiment& experiment, const TrainRecipe& recipe, double shrink = 1.0) {
    return 3.0 * forward_cost(experiment) * shrink *
           static_cast<double>(recipe.iterations * recipe.batch_size);
}

Stage dense_stage(const Experiment& experiment, uint64_t seed) {
    Stage stage{StageKind::train,
                "dense",
                seed,
                "",
                0,
                shared_config(experiment),
                {},
                training_cost(experiment, experiment.dense)};
    stage.config["stage"] = "dense";
    stage.config["recipe"] = experiment.canonical.at("dense");
    return stage;
}

int64_t event_count(const Experiment& experiment) {
    int64_t removable = 0;
    for (const int64_t width : experiment.model.widths)
        removable += std::max<int64_t>(0, width - experiment.prune.floor);
    return (removable + experiment.prune.filters_per_event - 1) / experiment.prune.filters_per_event;
}

Stage prune_stage(const Experiment& experiment, const std::string& criterion, const Stage& dense,
                  size_t dense_index) {
    Stage stage{StageKind::prune, "prune-" + criterion, dense.seed, criterion, 0,
                dense.config,     {dense_index}};
    stage.config["stage"] = "prune";
    stage.config["dense"] = config_hash(dense.config);
    stage.config["recipe"] = experiment.canonical.at("prune");
    stage.config["recipe"].erase("criteria");
    stage.config["criterion"] = criterion;
    // Networks shrink linearly in filters, so their cost averages to about 0.4 of the dense one's.
    const double passes = criterion == "cosprune" ? 7.0 : 3.0;
    stage.cost = passes * forward_cost(experiment) * 0.4 *
                 static_cast<double>((event_count(experiment) + 1) * experiment.prune.frequency *
                                     experiment.prune.training.batch_size);
    return stage;
}

Stage retrain_stage(const Experiment& experiment, const Stage& prune, size_t prune_index, uint64_t seed,
                    size_t target) {
    Stage stage{StageKind::retrain,
                fmt::format("retrain-{}-{}", prune.criterion, target),
                seed,
                prune.criterion,
                target,
                shared_config(experiment),
                {prune_index}};
    stage.config["stage"] = "retrain";
    stage.config["prune"] = config_hash(prune.config);
    stage.config["architecture_seed"] = prune.seed;
    stage.config["recipe"] = experiment.canonical.at("retrain");
    stage.config["recipe"].erase("targets");
    stage.config["target"] = experiment.canonical.at("retrain").at("targets").at(target);
    const double fraction = experiment.retrain.targets[target].parameters_fraction;
    stage.cost =
        training_cost(experiment, experiment.retrain.training, fraction > 0 ? std::max(0.2, fraction) : 0.5);
    return stage;
}

/// The target is the dense architecture whatever the criterion: it is trained once and counts for all.
bool is_dense(const RetrainTarget& target) {
    return target.parameters_fraction == 1.0 ||
           (!target.events.empty() && std::all_of(target.events.begin(), target.events.end(),
                                                  [](const auto& event) { return event.second == 0; }));
}

/// Re-training the dense architecture by the dense stage's own recipe gives the dense stage's network again.
bool repeats_dense_training(const Experiment& experiment, const nlohmann::json& recipe,
                            const RetrainTarget& target) {
    const double lr = experiment.retrain.training.optimizer.lr;
    return recipe == experiment.canonical.at("dense") &&
           std::all_of(target.lr.begin(), target.lr.end(),
                       [&](const auto& given) { return given.second == lr; });
}

Stage dense_retrain_stage(const Experiment& experiment, uint64_t seed, size_t target, size_t dense_index) {
    Stage stage{StageKind::retrain,
                fmt::format("retrain-dense-{}", target),
                seed,
                "dense",
                target,
                shared_config(experiment),
                {}};
    stage.config["stage"] = "retrain";
    stage.config["recipe"] = experiment.canonical.at("retrain");
    stage.config["recipe"].erase("targets");
    stage.config["recipe"].erase("architecture_seed");
    stage.config["target"] = experiment.canonical.at("retrain").at("targets").at(target);
    stage.cost = training_cost(experiment, experiment.retrain.training);
    if (repeats_dense_training(experiment, stage.config["recipe"], experiment.retrain.targets[target])) {
        stage.needs = {dense_index};
        stage.cost *= 1e-3;
    }
    return stage;
}

/// Explicit events may name one criterion only (an architecture without a partner of similar size).
bool names_criterion(const RetrainTarget& target, const std::string& criterion) {
    return target.events.empty() || std::any_of(target.events.begin(), target.events.end(),
                                                [&](const auto& event) { return event.first == criterion; });
}

}  // namespace

std::string Stage::hash() const {
    return config_hash(config);
}

std::filesystem::path Stage::folder(const std::filesystem::path& runs) const {
    return runs / fmt::format("{}_{}", name, hash()) / fmt::format("seed_{}", seed);
}

std::string kind_name(StageKind kind) {
    switch (kind) {
        case StageKind::constant:
            return "constant";
        case StageKind::train:
            return "train";
        case StageKind::prune:
            return "prune";
        case StageKind::retrain:
            return "retrain";
    }
    throw std::logic_error("a kind of stage without a name");
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
                          {"kind", kind_name(stage.kind)},
                          {"seed", stage.seed},
                          {"needs", needs},
                          {"hash", stage.hash()},
                          {"folder", folder.string()},
                          {"done", std::filesystem::exists(folder / "DONE")},
                          {"cost", stage.cost}});
    }
    return stages;
}

std::vector<Stage> plan_stages(const Experiment& experiment) {
    std::vector<Stage> plan;
    Stage constant{StageKind::constant, "constant", 0, "", 0, {}, {}, 0.0};
    constant.config = {{"stage", "constant"},
                       {"data", experiment.canonical.at("data")},
                       {"fidelity", experiment.canonical.at("fidelity")}};
    plan.push_back(constant);
    for (const uint64_t seed : experiment.seeds) plan.push_back(dense_stage(experiment, seed));
    for (const uint64_t seed : experiment.seeds)
        for (const auto& criterion : experiment.prune.criteria) {
            const size_t dense = find_stage(plan, "dense", seed);
            plan.push_back(prune_stage(experiment, criterion, plan[dense], dense));
        }
    for (size_t target = 0; target < experiment.retrain.targets.size(); ++target)
        for (const uint64_t seed : experiment.seeds) {
            if (is_dense(experiment.retrain.targets[target])) {
                plan.push_back(
                    dense_retrain_stage(experiment, seed, target, find_stage(plan, "dense", seed)));
                continue;
            }
            for (const auto& criterion : experiment.prune.criteria) {
                if (!names_criterion(experiment.retrain.targets[target], criterion)) continue;
                const uint64_t source = experiment.retrain.architecture_seed.value_or(seed);
                const size_t prune = find_stage(plan, "prune-" + criterion, source);
                plan.push_back(retrain_stage(experiment, plan[prune], prune, seed, target));
            }
        }
    return plan;
}

FigureStages figure_stages(const Experiment& experiment) {
    FigureStages figures{"constant", "dense", {}, {}};
    for (const auto& criterion : experiment.prune.criteria)
        figures.iterative.push_back({criterion, "prune-" + criterion});
    const auto& targets = experiment.retrain.targets;
    for (size_t target = 0; target < targets.size(); ++target)
        for (const auto& criterion : experiment.prune.criteria) {
            if (!is_dense(targets[target]) && !names_criterion(targets[target], criterion)) continue;
            figures.retrained.push_back(
                {static_cast<int64_t>(target), criterion,
                 fmt::format("retrain-{}-{}", is_dense(targets[target]) ? "dense" : criterion, target)});
        }
    return figures;
}

}  // namespace mtlprune
