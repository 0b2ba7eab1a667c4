// First-order Taylor importance of a channel gate (Molchanov et al., CVPR 2019, gate form).
#pragma once

#include "pruning/criteria/criterion.h"

namespace mtlprune {

/// dL/dgate [C], float64, of asked group number `i` from parameters and gradients of the total loss
/// (gate_members.h). Throws Error when no gradient of the group is known.
torch::Tensor gate_gradient(const Evidence& batch, size_t i);

}  // namespace mtlprune
