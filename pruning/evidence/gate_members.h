// Where a gate on a group's channels would sit, and which parameters' gradients tell its gradient without
// one.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "pruning/coupling/groups.h"

namespace mtlprune {

/// A gate g multiplies what every producer of a group puts out. With activations that are positively
/// homogeneous (ReLU, max-pooling, none) dL/dg at g = 1 is <w, dL/dw> + b dL/db of the producer's parameters,
/// no matter where between producer and consumer it sits. Behind a batch norm that is no longer so: in
/// training mode the norm undoes any scale, and the producer's sum is about zero. The gate then belongs
/// behind the last batch norm, where its gradient is gamma dL/dgamma + beta dL/dbeta.
class GateMembers {
  public:
    GateMembers(const TracedGraph& graph, const std::vector<Group>& groups);
    /// Weights, biases, scales and shifts in the group's order.
    std::vector<const Member*> of(const Group& group) const;

  private:
    /// Tensor -> the norm's scale whose parameters stand in for it; itself where no norm follows.
    std::unordered_map<std::string, std::string> replaced_by_;
    std::unordered_map<std::string, std::string> shift_of_;  ///< scale -> shift
};

}  // namespace mtlprune
