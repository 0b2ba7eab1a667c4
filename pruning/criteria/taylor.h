// First-order Taylor importance of a channel gate (Molchanov et al., CVPR 2019, gate form).
#pragma once

#include "pruning/criteria/criterion.h"

namespace mtlprune {

/// dL/dgate [C], float64, of asked group number `i` from parameters and gradients of the total loss
/// (gate_members.h). Throws Error when no gradient of the group is known.
torch::Tensor gate_gradient(const Evidence& batch, size_t i);

/// dL_t/dgate [C, T], float64, of asked group number `i` for every task's loss L_t. A task that does not
/// reach the group has 0. Throws Error naming the criterion when no gradient of the group is known.
torch::Tensor task_gate_gradients(const Evidence& batch, size_t i, const std::string& criterion);

/// A channel's weights times their gradients, [C, ...] of the member's shape.
torch::Tensor weight_times_gradient(const Evidence& batch, const Group& group, const Member& member,
                                    const torch::Tensor& gradient);

/// Their sum [C]: the gradient of a scalar on the channel's slice.
torch::Tensor slice_gradient(const Evidence& batch, const Group& group, const Member& member,
                             const torch::Tensor& gradient);

}  // namespace mtlprune
