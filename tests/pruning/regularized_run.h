// A small network that is pruned with a regulariser.
#pragma once

#include <torch/utils.h>

#include <string>

#include "models/model_spec.h"
#include "pruning/schedules/iterative_pruner.h"
#include "tests/random_batch.h"

namespace mtlprune {

/// In float64, every parameter drawn.
inline ModelPtr drawn_model(const std::string& backbone = "toy") {
    const ModelPtr model = make_model(backbone + "/smallaspp:hidden=4,dropout=0", nyuv2_tasks(5));
    model->initialise(3);
    model->to(torch::kDouble);
    model->train();
    const torch::NoGradGuard no_grad;
    uint64_t key = 1;
    for (auto& parameter : model->parameters())
        parameter.add_(noise(parameter.sizes(), key++, torch::kDouble) * 0.2);
    return model;
}

/// At every window's end five of the channels that all tasks share leave.
inline IterativePrunerOptions five_of_shared(int64_t frequency, int64_t events,
                                             EditKind edit = EditKind::remove) {
    return {.frequency = frequency, .allocation = lowest_of_shared(5, 2), .events = events, .edit = edit};
}

struct RegularizedRun {
    RegularizedRun(ModelPtr pruned, const std::string& regularizer, const IterativePrunerOptions& options,
                   const OptimizerConfig& optimizer = default_optimizer(OptimizerKind::adamw),
                   const std::string& criterion = "l2")
        : model(std::move(pruned)),
          pruner(std::make_shared<IterativePruner>(
              model, torch::zeros({1, 3, 8, 8}), criteria().make(criterion), options,
              regularizer.empty() ? nullptr : regularizers().make(regularizer))),
          trainer(model, {.optimizer = optimizer}, {pruner}) {}

    void step() { trainer.step(batch()); }
    void step(int64_t count) {
        for (int64_t i = 0; i < count; ++i) step();
    }
    /// The next mini-batch.
    Batch batch() const {
        return random_batch(static_cast<uint64_t>(trainer.iteration()), 8, torch::kDouble);
    }
    const std::vector<Group>& groups() const { return pruner->pruner().groups(); }

    ModelPtr model;
    std::shared_ptr<IterativePruner> pruner;
    Trainer trainer;
};

/// By name, sharing memory.
inline std::map<std::string, torch::Tensor> parameters_by_name(const Model& model) {
    std::map<std::string, torch::Tensor> parameters;
    for (const auto& item : model.named_parameters()) parameters[item.key()] = item.value();
    return parameters;
}

}  // namespace mtlprune
