#include "reproduce/stages/identity.h"

#include "datasets/layouts/open_dataset.h"
#include "reproduce/stages/data_fingerprint.h"

namespace mtlprune {

nlohmann::json behaviour_of(StageKind kind, const Behaviour& behaviour) {
    nlohmann::json numbers = {{"base", behaviour.base},
                              {"datasets", behaviour.datasets},
                              {"training", behaviour.training},
                              {"reproduce", behaviour.reproduce}};
    if (kind != StageKind::constant) numbers["models"] = behaviour.models;
    if (kind == StageKind::prune || kind == StageKind::retrain) numbers["pruning"] = behaviour.pruning;
    return numbers;
}

nlohmann::json data_identity(const Experiment& experiment) {
    nlohmann::json identity = experiment.canonical.at("data");
    for (const char* key : {"path", "workers", "cache"}) identity.erase(key);
    identity["kind"] = dataset_layout(experiment.data.kind).name;  // not an alias
    if (!experiment.data.path.empty()) identity["content"] = data_fingerprint(experiment.data.path);
    return identity;
}

nlohmann::json stage_identity(const Experiment& experiment, const StageRecipe& stage,
                              const nlohmann::json& data, const std::string& from,
                              const Behaviour& behaviour) {
    auto fidelity = experiment.canonical.at("fidelity");
    if (stage.kind != StageKind::prune)
        for (const char* quirk : {"update", "criteria"}) fidelity.erase(quirk);
    nlohmann::json identity = {{"data", data},
                               {"fidelity", fidelity},
                               {"recipe", stage.recipe},
                               {"behaviour", behaviour_of(stage.kind, behaviour)}};
    if (stage.kind != StageKind::constant) identity["model"] = experiment.canonical.at("model");
    if (stage.kind == StageKind::train && !experiment.weights.empty())
        identity["weights"] = data_fingerprint(experiment.weights);
    if (!from.empty()) identity["from"] = from;
    if (stage.from_seed) identity["from_seed"] = *stage.from_seed;
    return identity;
}

}  // namespace mtlprune
