// What pruning by PFP (Liebenwein et al., Provable Filter Pruning for Efficient Neural Networks, ICLR 2020)
// promises.
#pragma once

#include <torch/types.h>

#include <vector>

namespace mtlprune {

/// The relative error that kept widths stand for: with `scores` of criterion `pfp` per asked group
/// (Pruner::last_scores) and the channels `kept` (int64, PruneEvent::kept), the least error for which every
/// group keeps all that PFP proposes; 0 when nothing leaves but what no answer depends on.
///
/// With selection=random or hybrid every answer of the layers that read a group, its positive and its
/// negative terms each by itself, is within this relative error with probability 1 - delta, if the data are
/// representative. Above 1 that says nothing: the error is then a yardstick between layers only, as it always
/// is with selection=top.
double pfp_error(const std::vector<torch::Tensor>& scores, const std::vector<torch::Tensor>& kept);

}  // namespace mtlprune
