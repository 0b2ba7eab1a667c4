#include "reproduce/stages/stage_network.h"

#include <torch/utils.h>

#include "base/json_reader.h"
#include "models/weights/load_weights.h"
#include "pruning/surgery/surgery.h"
#include "training/trainer.h"

namespace mtlprune {

TensorMap network_state(const Model& model, const std::vector<Plan>& steps) {
    auto state = with_prefix("model.", module_state(model));
    state["plan"] = text_tensor(steps_to_json(steps).dump());
    return state;
}

PrunedNetwork load_network(const ModelSpec& spec, const std::vector<TaskSpec>& tasks,
                           const TensorMap& state) {
    if (state.count("plan") == 0)
        throw Error("checkpoint", "plan", "the plan that led to the network", "nothing");
    const std::string place = "checkpoint: plan";
    PrunedNetwork network{make_model(spec, tasks),
                          steps_from_json(parse_json(tensor_text(state.at("plan")), place), place)};
    replay(*network.model, network.steps);
    load_module_state(*network.model, entries_of("model.", state));
    return network;
}

ModelPtr first_network(const StageContext& context, uint64_t seed) {
    auto model = make_model(context.experiment.model, context.tasks);
    model->initialise(seed);
    if (const auto& file = context.experiment.weights; !file.empty())
        load_weights(*model, read_weights(file), file);
    return model;
}

torch::Tensor example_image(const StageContext& context) {
    const auto& transform = context.experiment.data.transform;
    return torch::zeros({1, 3, transform.height, transform.width}, context.device);
}

Coupling couple_network(const StageContext& context, const ModelPtr& model) {
    return couple(*model, [&](const std::vector<torch::Tensor>& in) { return model->forward(in.at(0)); },
                  {example_image(context)});
}

}  // namespace mtlprune
