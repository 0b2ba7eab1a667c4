// Slices of the shared convolutions whose norms are penalised, and their proximal steps.
#pragma once

#include <vector>

#include "base/enum_names.h"
#include "pruning/regularizers/regularizer.h"

namespace mtlprune {

/// What a channel's penalised weights are: all that read it in one layer, all that make it in one layer, or
/// both, of all layers that share it.
enum class SparseUnit { input_channel, output_filter, coupled };
const EnumNames<SparseUnit>& sparse_unit_names();

using UnitSlices = std::vector<const ChannelSlices*>;

/// Slices whose norms are penalised, one list per set of units: of convolutions that all tasks share.
std::vector<UnitSlices> sparse_units(const RegularizedGroup& group, SparseUnit unit);

/// After the optimiser's step: the proximal step of lambda sqrt(n) ||w|| per unit of n weights, in the metric
/// of Adam (of SGD: a plain one) and of the step's learning rate.
void shrink_units(const RegularizedStep& step, SparseUnit unit, double lambda);

}  // namespace mtlprune
