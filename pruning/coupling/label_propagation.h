// Carries labels through a trace, operator by operator.
#pragma once

#include <string>

#include "pruning/coupling/labelling.h"

namespace mtlprune {

/// Applies the label rules of all operators (ops/operator.h) in order of execution. An operator without a
/// rule freezes every label it sees; graph outputs that are not listed among the options' shrinkable ones
/// freeze theirs. Afterwards every value is rectangular.
void propagate(Labelling& labelling);

/// Freezes all tensors that the node reads.
void freeze_inputs(Labelling& l, const TracedNode& node, const std::string& why);

}  // namespace mtlprune
