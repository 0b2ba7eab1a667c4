// The one training loop.
#pragma once

#include <torch/optim/optimizer.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "training/callback.h"
#include "training/learning_rate.h"
#include "training/optimizer.h"

namespace mtlprune {

struct TrainerOptions {
    OptimizerConfig optimizer;
    LearningRateSchedule learning_rate_schedule;
    int64_t iterations = 0;  ///< 0: until a callback stops
    Fidelity losses = Fidelity::corrected;
    uint64_t seed = 0;   ///< of the dropout masks
    uint64_t phase = 0;  ///< several trainings of one network with one seed: the masks of each differ
};

/// Trains a model in place, one optimiser step per mini-batch, and calls back.
class Trainer {
  public:
    /// Where the mini-batches come from, on the model's device: called once per iteration.
    using NextBatch = std::function<Batch()>;

    Trainer(ModelPtr model, TrainerOptions options, std::vector<std::shared_ptr<Callback>> callbacks = {});

    /// Goes on from iteration() until all iterations are done or a callback stops.
    void run(const NextBatch& next);
    /// One iteration. Returns the losses [T], detached.
    torch::Tensor step(const Batch& batch);
    /// The same up to the gradients (and what callbacks do after them), without a step of the optimiser.
    torch::Tensor take_gradients(const Batch& batch);
    /// For callbacks: run() returns before the next step.
    void stop() { stopped_ = true; }

    Model& model() { return *model_; }
    torch::optim::Optimizer& optimizer() { return *optimizer_; }
    const TrainerOptions& options() const { return options_; }
    int64_t iteration() const { return iteration_; }  ///< steps done
    /// Forgets the optimiser's moments.
    void reset_optimizer();

    /// Everything that run() needs to go on exactly: "model.<name>", "optimizer.<name>", "iteration", and
    /// "<callback>.<name>".
    TensorMap state() const;
    /// The model must have the shapes of the saved one. Throws Error naming an entry that is missing or of
    /// another shape.
    void load_state(const TensorMap& state);

  private:
    void add_extra_losses();

    ModelPtr model_;
    TrainerOptions options_;
    std::vector<std::shared_ptr<Callback>> callbacks_;
    bool needs_task_gradients_ = false;
    std::unique_ptr<torch::optim::Optimizer> optimizer_;
    int64_t iteration_ = 0;
    bool stopped_ = false;
};

/// Parameters and buffers by name, detached, sharing memory with the module.
TensorMap module_state(const torch::nn::Module& module);
/// Copies what module_state() returned. Throws Error naming an entry that is missing or of another shape.
void load_module_state(torch::nn::Module& module, const TensorMap& state);

}  // namespace mtlprune
