// Carries labels through a trace, operator by operator.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "pruning/coupling/labelling.h"

namespace mtlprune {

/// Relates the labels of a node's inputs to each other and sets those of its outputs (unset ones are fixed).
using Rule = void (*)(Labelling&, const TracedNode&);
using RuleTable = std::unordered_map<std::string, Rule>;

/// All operators that are known, by kind ("aten::conv2d").
const RuleTable& coupling_rules();

/// Applies the rules in order of execution. An operator without a rule freezes every label it sees; graph
/// outputs that are not listed in `shrinkable_outputs` freeze theirs.
void propagate(Labelling& labelling, const std::vector<size_t>& shrinkable_outputs);

// The families of operators, one file each.
void add_weight_rules(RuleTable& rules);       ///< convolution, linear, matrix products, normalisation
void add_elementwise_rules(RuleTable& rules);  ///< activations, arithmetic, pooling, interpolation
void add_shape_rules(RuleTable& rules);        ///< views, permutations, concatenation, reductions

}  // namespace mtlprune
