// Which channels of the maps that tasks share pruning left.
#pragma once

#include <torch/types.h>

#include <vector>

#include "models/model.h"
#include "pruning/surgery/plan.h"

namespace mtlprune {

/// Per map of features(), the channels (int64, ascending) that are left of it after `steps`. `dense` is the
/// network before them; it is traced on `example` [1,3,H,W], gets parameters of its own for that, and should
/// be thrown away. Throws Error when the steps are not of this network.
std::vector<torch::Tensor> kept_of_maps(Model& dense, const torch::Tensor& example,
                                        const std::vector<Plan>& steps);

}  // namespace mtlprune
