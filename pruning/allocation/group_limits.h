// How far each group may shrink.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "pruning/allocation/allocation.h"

namespace mtlprune {

struct GroupLimit {
    int64_t channels;             ///< now
    int64_t original;             ///< when coupled
    int64_t floor;                ///< what stays at least; all of a group that is frozen or ignored
    bool is_ignored = false;      ///< by a regular expression
    std::optional<double> ratio;  ///< of its own, when an expression gives it one
};

/// Throws Error on options out of range and on expressions that are wrong or match nothing.
std::vector<GroupLimit> group_limits(const Coupling& coupling, const std::vector<Group>& groups,
                                     const AllocationOptions& options);

/// Channels that leave when the ranking takes `count` (at most channels - floor) of a group: fewer or more,
/// as the rounding says.
int64_t rounded_removal(const GroupLimit& limit, int64_t count, const AllocationOptions& options);

}  // namespace mtlprune
