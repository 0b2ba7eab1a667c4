// Optimisers from configurations, and their state by parameter name.
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

/// adam: the main paper's base training (lr 1e-4, betas 0.5 and 0.999, decay 1e-4). adamw: its pruning phase
/// (lr 5e-5, betas 0.9 and 0.999, decay 0.01). sgd: lr 0.01, momentum 0.9, no decay.
OptimizerConfig default_optimizer(OptimizerKind kind);

/// Keys kind, lr, beta1, beta2, eps, weight_decay, momentum; defaults as default_optimizer(kind), kind adam.
/// Keys of other kinds are unknown keys. Throws Error on a value out of range or an unknown key.
OptimizerConfig read_optimizer(JsonReader reader);

std::unique_ptr<torch::optim::Optimizer> make_optimizer(const std::vector<torch::Tensor>& parameters,
                                                        const OptimizerConfig& config);

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

/// Sets those elements of every moment of `parameter` to zero that are not kept (bool, of its shape). No-op
/// for a parameter without state.
void mask_optimizer_state(torch::optim::Optimizer& optimizer, const torch::Tensor& parameter,
                          const torch::Tensor& kept);

}  // namespace mtlprune
