// First-order meta-learning with a group penalty whose strength is learned (Upadhyay et al., Meta-sparsity,
// 2025; the loop after MTML-learn-how-to-adapt-to-unseen-tasks of the same group).
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "pruning/regularizers/channel_slices.h"

namespace mtlprune {

/// Weights [C, n] after an inner step, and their derivative by lambda (without that of the gradient).
struct InnerStep {
    torch::Tensor weights, slope;
};

/// `factor` is the penalty's of each row w: lambda factor ||w||. By its sub-gradient (0 at w = 0),
/// w - alpha (gradient + lambda factor w / ||w||), or by the proximal step behind w - alpha gradient.
/// Float64.
InnerStep inner_step(const torch::Tensor& weights, const torch::Tensor& gradient, double alpha, double lambda,
                     double factor, bool proximal);

/// Subsets of two or more tasks out of `tasks` (all of one), those with few tasks first.
std::vector<std::vector<size_t>> task_subsets(size_t tasks);

/// Of one parameter, by its number.
struct PenalisedSlices {
    size_t parameter;
    const ChannelSlices* slices;
};

/// sqrt(I) of a layer with I channels to read, as the published penalty has it; in a proximal step sqrt(n) of
/// n weights.
double penalty_factor(const ChannelSlices& slices, bool proximal);

/// sum over slices and channels of penalty_factor ||w||: float64 [].
torch::Tensor penalty_of(const std::vector<PenalisedSlices>& penalised);

/// Gradients of the sum of these tasks' losses at the parameters as they are, one per parameter; undefined
/// where there is none.
using LossGradients = std::function<std::vector<torch::Tensor>(const std::vector<size_t>& tasks)>;

struct MetaOptions {
    double alpha = 3e-4;  ///< learning rate of inner steps
    bool proximal = false;
    /// Every inner step goes on from the one before, all validation gradients are taken behind the last, and
    /// the parameters stay there.
    bool shared_snapshots = false;
    bool summed = false;  ///< the validation gradients, not averaged
};

struct MetaStep {
    std::vector<torch::Tensor> gradients;  ///< per parameter; undefined where no loss depends on it
    double slope = 0.0;                    ///< of the validation losses by lambda
};

/// One inner step per episode (a set of tasks), from the parameters as they are, and the validation gradients
/// behind it. The parameters come back bit for bit, unless snapshots are shared.
MetaStep meta_step(const std::vector<torch::Tensor>& parameters,
                   const std::vector<PenalisedSlices>& penalised,
                   const std::vector<std::vector<size_t>>& episodes, double lambda,
                   const LossGradients& training, const LossGradients& validation,
                   const MetaOptions& options);

}  // namespace mtlprune
