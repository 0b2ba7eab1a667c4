// Optimisers and learning-rate schedules from configurations, and their state by parameter name.
#pragma once

#include <torch/optim/optimizer.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/json_reader.h"
#include "training/checkpoint.h"

namespace mtlprune {

enum class OptimizerKind { adam, adamw, sgd };

/// adam: weight decay is added to the gradient (L2). adamw: decoupled weight decay. sgd: optional momentum,
/// L2.
struct OptimizerConfig {
    OptimizerKind kind = OptimizerKind::adam;
    double lr = 1e-4;
    double beta1 = 0.5;
    double beta2 = 0.999;
    double eps = 1e-8;
    double weight_decay = 1e-4;
    double momentum = 0.0;  ///< sgd only
    bool operator==(const OptimizerConfig&) const = default;
};

enum class LearningRateKind { constant, cosine, step };

/// Steps are `every` iterations long (an epoch, say).
struct LearningRateSchedule {
    LearningRateKind kind = LearningRateKind::constant;
    int64_t t_max = 1;      ///< cosine: half a period
    double min_lr = 0.0;    ///< cosine: the lowest rate
    int64_t step_size = 1;  ///< step: the rate is multiplied by gamma every step_size steps
    double gamma = 0.1;
    int64_t every = 1;
    bool operator==(const LearningRateSchedule&) const = default;
};

/// adam: the main paper's base training (lr 1e-4, betas 0.5 and 0.999, decay 1e-4). adamw: its pruning phase
/// (lr 5e-5, betas 0.9 and 0.999, decay 0.01). sgd: lr 0.01, momentum 0.9, no decay.
OptimizerConfig default_optimizer(OptimizerKind kind);

/// Keys kind, lr, beta1, beta2, eps, weight_decay, momentum; defaults as default_optimizer(kind), kind adam.
/// Keys of other kinds are unknown keys. Throws Error on a value out of range or an unknown key.
OptimizerConfig read_optimizer(JsonReader reader);

/// Keys kind (default constant), every; cosine: t_max (required), min_lr; step: step_size (required), gamma.
LearningRateSchedule read_learning_rate_schedule(JsonReader reader);

std::unique_ptr<torch::optim::Optimizer> make_optimizer(const std::vector<torch::Tensor>& parameters,
                                                        const OptimizerConfig& config);

/// The rate of iteration 0, 1, ...: closed forms of torch's CosineAnnealingLR (which rises again after t_max)
/// and StepLR.
double learning_rate(const LearningRateSchedule& schedule, double base_lr, int64_t iteration);

/// For all parameter groups.
void set_learning_rate(torch::optim::Optimizer& optimizer, double lr);

/// The moments of every parameter: "<name>.step", "<name>.exp_avg", "<name>.exp_avg_sq" (adam, adamw) or
/// "<name>.momentum_buffer" (sgd with momentum); nothing for a parameter that was never updated. The tensors
/// share memory with the optimiser. `names` are those of its parameters, in order; Error when their numbers
/// differ.
TensorMap optimizer_state(const torch::optim::Optimizer& optimizer, const std::vector<std::string>& names);

/// Replaces the whole state by copies of what optimizer_state returned, so that training goes on exactly as
/// it would have. Throws Error naming an unknown, missing or mis-shaped entry; the state is unchanged then.
void load_optimizer_state(torch::optim::Optimizer& optimizer, const std::vector<std::string>& names,
                          const TensorMap& state);

/// Keeps the rows `kept_indices` (int64 [n]) of dimension `dim` of every moment of `parameter`. To be called
/// when the parameter itself shrinks by set_data, before or after (it must remain the same tensor object).
/// No-op for a parameter without state.
void slice_optimizer_state(torch::optim::Optimizer& optimizer, const torch::Tensor& parameter, int64_t dim,
                           const torch::Tensor& kept_indices);

/// Sets the rows `indices` of dimension `dim` of every moment of `parameter` to zero. No-op for a parameter
/// without state.
void zero_optimizer_state(torch::optim::Optimizer& optimizer, const torch::Tensor& parameter, int64_t dim,
                          const torch::Tensor& indices);

}  // namespace mtlprune
