// A model, its trainer and the pruner that prunes it meanwhile.
#pragma once

#include <memory>
#include <vector>

#include "pruning/schedules/iterative_pruner.h"

namespace mtlprune {

struct PruningRun {
    PruningRun(ModelPtr model, const torch::Tensor& example, std::unique_ptr<Criterion> criterion,
               const IterativePrunerOptions& options,
               const OptimizerConfig& optimizer = default_optimizer(OptimizerKind::adamw))
        : pruner(std::make_shared<IterativePruner>(model, example, std::move(criterion), options)),
          trainer(std::make_unique<Trainer>(std::move(model), TrainerOptions{.optimizer = optimizer},
                                            std::vector<std::shared_ptr<Callback>>{pruner})) {}

    /// Which of each group's channels, numbered as in the dense network, are left: bool [C].
    std::vector<torch::Tensor> alive() const {
        std::vector<torch::Tensor> alive;
        for (size_t i = 0; i < pruner->pruner().asked().size(); ++i) {
            const auto& dense = pruner->pruner().coupling().groups[pruner->pruner().asked()[i]];
            alive.push_back(torch::zeros({dense.channels}, torch::kBool)
                                .index_fill_(0, pruner->pruner().originals()[i], 1));
        }
        return alive;
    }

    std::shared_ptr<IterativePruner> pruner;
    std::unique_ptr<Trainer> trainer;
};

}  // namespace mtlprune
