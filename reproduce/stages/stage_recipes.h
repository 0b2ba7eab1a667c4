// The stages of an experiment as JSON.
#pragma once

#include "base/json_reader.h"
#include "reproduce/stages/experiment.h"

namespace mtlprune {

/// {NAME: {"kind": "constant"}}
/// {NAME: {"kind": "train", RECIPE}}
/// {NAME: {"kind": "prune", "from": STAGE, "strategy": NAME, RECIPE}}, with a strategy's or criterion's name;
///         "criterion", "regularizer", "schedule", "allocation", "edit", "reset_optimizer" or
///         "weight_masking" change the strategy (strategy.h)
/// {NAME: {"kind": "retrain", "from": PRUNE STAGE, "event": N or "parameters_fraction": X, "from_seed": K,
/// RECIPE}} RECIPE: optimizer, learning_rate_schedule, iterations, batch_size, evaluate_every, selection, the
/// keys of read_update_options(), ema_decay, check_finite_every, count_subnormals_every.
/// train and retrain may have a "strategy" too, a word for the table of results. The result is ordered: a
/// stage comes after the one that it starts from, else by name. Throws Error on another form, an unknown or
/// unfitting "from", and on stages that start from each other.
std::vector<StageRecipe> read_stages(const nlohmann::json& json, const std::string& place);

/// The paper's experiment: reads the sections "dense", "prune" and "retrain" of an experiment and writes them
/// out as
/// {"stages", "figures"}: the best predictions that ignore the image, a dense network, one pruning stage per
/// strategy, and for every target the architectures of all strategies trained from scratch.
nlohmann::json expand_template(JsonReader& experiment);

/// Optimiser, schedule, iterations (at least `least_iterations`), batch size and evaluation.
TrainRecipe read_recipe(JsonReader& reader, int64_t least_iterations);

/// The keys of strategy_keys() that are there.
nlohmann::json strategy_changes(JsonReader& reader);

/// Throws Error when the figures name a stage that does not exist, or another kind for the constant one.
void require_known_stages(const FigureStages& figures, const std::vector<StageRecipe>& stages,
                          const std::string& place);

/// Throws Error when two entries are equal.
void require_distinct(std::vector<std::string> entries, const std::string& place);

}  // namespace mtlprune
