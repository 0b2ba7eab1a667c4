// Turns the joined labels of a trace into groups of channels.
#pragma once

#include "pruning/coupling/groups.h"
#include "pruning/coupling/labelling.h"

namespace mtlprune {

/// Fills all of `coupling` but its graph. A set of joined labels that some operator produces is a channel;
/// channels with the same number of indices along the same axes of stored tensors and of activations, frozen
/// for the same reason or free, form a group. `labelling` is complete: all rules have run.
void build_groups(Labelling& labelling, Coupling& coupling);

}  // namespace mtlprune
