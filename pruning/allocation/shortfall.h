// Why a network cannot become as small as asked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pruning/allocation/allocation.h"

namespace mtlprune {

/// The number of a cost that a budget is about; 0 for channels.
int64_t amount(const Cost& cost, BudgetUnit unit);
/// "parameters", "MACs" or "channels"
std::string unit_name(BudgetUnit unit);

/// Channels of every group in the smallest network that the options allow, ratios of single groups left
/// aside.
std::vector<int64_t> fewest_channels(const Coupling& coupling, const std::vector<Group>& groups,
                                     const AllocationOptions& options);

/// What each restriction (frozen channels with their reasons, ignored groups, floors, maximum ratio,
/// rounding, ratios of single groups) costs by itself: how much less than `smallest`, the least that can be
/// reached, would be possible without it.
std::string what_stops(const Coupling& coupling, const std::vector<Group>& groups,
                       const AllocationOptions& options, int64_t smallest);

}  // namespace mtlprune
