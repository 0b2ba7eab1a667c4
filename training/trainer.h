// The one training loop.
#pragma once

#include <torch/optim/optimizer.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "training/callback.h"
#include "training/data_parallel/data_parallel.h"
#include "training/learning_rate.h"
#include "training/optimizer.h"
#include "training/update_options.h"
#include "training/weighting/task_weighting.h"

namespace mtlprune {

struct TrainerOptions {
    OptimizerConfig optimizer;
    LearningRateSchedule learning_rate_schedule;
    UpdateOptions update = {};
    int64_t iterations = 0;  ///< 0: until a callback stops
    Fidelity losses = Fidelity::corrected;
    uint64_t seed = 0;   ///< of the dropout masks
    uint64_t phase = 0;  ///< several trainings of one network with one seed: the masks of each differ
    /// Other processes train the same network on other parts of every mini-batch. Losses and gradients are
    /// means over all of them (by Batch::weight) from the task weighting on, and buffers (running statistics
    /// of batch norms) are the first rank's, so that all keep equal networks, bit for bit. Null: alone.
    std::shared_ptr<DataParallel> parallel = nullptr;
};

/// Trains a model in place, one optimiser step per iteration, and calls back.
class Trainer {
  public:
    /// Where the mini-batches come from, on the model's device: called UpdateOptions::accumulate times per
    /// iteration.
    using NextBatch = std::function<Batch()>;

    /// Throws Error for a precision that the model's device does not have.
    Trainer(ModelPtr model, TrainerOptions options, std::vector<std::shared_ptr<Callback>> callbacks = {});

    /// Goes on from iteration() until all iterations are done or a callback stops.
    void run(const NextBatch& next);
    /// One iteration with these mini-batches. Returns the losses [T], unweighted, detached. In float16 an
    /// iteration whose scaled gradients are not finite changes nothing: there is no after_gradients().
    torch::Tensor step(const std::vector<Batch>& batches);
    torch::Tensor step(const Batch& batch) { return step(std::vector<Batch>{batch}); }
    /// The same up to the gradients (and what callbacks do after them), without a step of the optimiser.
    torch::Tensor take_gradients(const std::vector<Batch>& batches);
    torch::Tensor take_gradients(const Batch& batch) { return take_gradients(std::vector<Batch>{batch}); }
    /// For callbacks: run() returns before the next step.
    void stop() { stopped_ = true; }

    Model& model() { return *model_; }
    torch::optim::Optimizer& optimizer() { return *optimizer_; }
    const TrainerOptions& options() const { return options_; }
    int64_t iteration() const { return iteration_; }  ///< steps done
    const TaskWeighting& weighting() const { return *weighting_; }
    const LossScale& loss_scale() const { return loss_scale_; }
    /// Forgets the optimiser's moments.
    void reset_optimizer();
    /// What belongs to a parameter here and in callbacks (moments, averages) follows it, as in
    /// Callback::on_slice(), on_zero() and on_mask().
    void slice_state(const torch::Tensor& parameter, int64_t dim, const torch::Tensor& kept);
    void zero_state(const torch::Tensor& parameter, int64_t dim, const torch::Tensor& indices);
    void mask_state(const torch::Tensor& parameter, const torch::Tensor& kept);

    /// Everything that run() needs to go on exactly: "model.<name>", "optimizer.<name>", "iteration",
    /// "<callback>.<name>", and "weighting.<name>" and "loss_scale.<name>" of those that have a state.
    TensorMap state() const;
    /// The model must have the shapes of the saved one. Throws Error naming an entry that is missing or of
    /// another shape.
    void load_state(const TensorMap& state);

  private:
    friend class EvaluatedWeights;
    /// Gradients of an iteration: means over its mini-batches.
    struct Gathered {
        std::optional<TaskGradients> gradients;
        std::vector<std::vector<torch::Tensor>> per_task;  ///< empty unless needed
        std::vector<torch::Tensor> total;
    };
    double current_rate() const;
    Gathered gather(const std::vector<Batch>& batches);
    double share(const Batch& batch, size_t batches) const;
    void choose_dropout(size_t batch);
    void average_over_ranks(Gathered& gathered);
    bool usable(const std::vector<torch::Tensor>& parameters);
    void add_extra_losses();

    ModelPtr model_;
    TrainerOptions options_;
    std::vector<std::shared_ptr<Callback>> callbacks_;
    bool needs_task_gradients_ = false;
    std::unique_ptr<torch::optim::Optimizer> optimizer_;
    std::unique_ptr<TaskWeighting> weighting_;
    LossScale loss_scale_;
    int64_t iteration_ = 0;
    bool stopped_ = false;
    bool left_out_ = false;  ///< this iteration, as its gradients are not finite
};

/// As long as it lives, the model has the weights that are to be evaluated and kept (averaged ones, say).
class EvaluatedWeights {
  public:
    explicit EvaluatedWeights(Trainer& trainer);
    ~EvaluatedWeights();
    EvaluatedWeights(const EvaluatedWeights&) = delete;
    EvaluatedWeights& operator=(const EvaluatedWeights&) = delete;

  private:
    Trainer& trainer_;
};

/// Parameters and buffers by name, detached, sharing memory with the module.
TensorMap module_state(const torch::nn::Module& module);
/// Copies what module_state() returned. Throws Error naming an entry that is missing or of another shape.
void load_module_state(torch::nn::Module& module, const TensorMap& state);

}  // namespace mtlprune
