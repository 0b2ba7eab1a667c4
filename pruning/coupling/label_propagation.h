// Carries labels through a trace, operator by operator.
#pragma once

#include <initializer_list>
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
/// outputs that are not listed among the options' shrinkable ones freeze theirs. Afterwards every value is
/// rectangular.
void propagate(Labelling& labelling);

// The families of operators, one file each.
void add_elementwise_rules(RuleTable& rules);  ///< activations, arithmetic, pooling, interpolation
void add_shape_rules(RuleTable& rules);        ///< views, permutations, repetition
void add_selection_rules(RuleTable& rules);    ///< slices, splits, indices, concatenation, padding
void add_reduction_rules(RuleTable& rules);    ///< sums, means, softmax and others that mix one axis
void add_product_rules(RuleTable& rules);      ///< linear layers, matrix products, einsum
void add_convolution_rules(RuleTable& rules);
void add_normalisation_rules(RuleTable& rules);
void add_attention_rules(RuleTable& rules);  ///< fused attention operators
void add_recurrent_rules(RuleTable& rules);  ///< LSTM, GRU, RNN and their cells

// What the families share.
void add_rules(RuleTable& rules, Rule rule, std::initializer_list<const char*> kinds);
size_t wrap_axis(int64_t axis, size_t rank);
/// An argument that names one axis of a tensor of this rank, counted from the front; nothing when it is no
/// constant.
std::optional<size_t> axis_argument(const Labelling& l, const TracedNode& node, size_t input, size_t rank);
/// Attention that divides by the square root of a head's width, since no other scale is given.
bool scales_by_width(const TracedGraph& graph, const TracedNode& node);
/// Freezes all tensors that the node reads.
void freeze_inputs(Labelling& l, const TracedNode& node, const std::string& why);

}  // namespace mtlprune
