// What a stage's result depends on.
#pragma once

#include <nlohmann/json.hpp>

#include "base/behaviour.h"
#include "datasets/behaviour.h"
#include "models/behaviour.h"
#include "pruning/behaviour.h"
#include "reproduce/behaviour.h"
#include "reproduce/stages/experiment.h"
#include "training/behaviour.h"

namespace mtlprune {

/// The rooms' behaviour numbers.
struct Behaviour {
    int base = kBaseBehaviour;
    int datasets = kDatasetsBehaviour;
    int models = kModelsBehaviour;
    int training = kTrainingBehaviour;
    int pruning = kPruningBehaviour;
    int reproduce = kReproduceBehaviour;
};

/// Those that a kind of stage depends on, by room.
nlohmann::json behaviour_of(StageKind kind, const Behaviour& behaviour);

/// What the data is: layout, content of its files, classes, frames, sizes, transform. Not where it lies, nor
/// how it is read (workers, cache).
nlohmann::json data_identity(const Experiment& experiment);

/// Everything that determines the result of a stage, its own seed apart: data, model, fidelity, recipe, the
/// stage it starts from (`from`: that stage's hash, empty without one) and the behaviour numbers. Neither
/// device nor threads, names nor folders.
nlohmann::json stage_identity(const Experiment& experiment, const StageRecipe& stage,
                              const nlohmann::json& data, const std::string& from,
                              const Behaviour& behaviour);

}  // namespace mtlprune
