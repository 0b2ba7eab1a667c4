// Which channels of a coupling a plan leaves, seen from the axes of values.
#pragma once

#include <cstdint>
#include <vector>

#include "pruning/coupling/groups.h"
#include "pruning/surgery/plan.h"

namespace mtlprune {

/// The channels of a coupling that a plan removes, and what that leaves of axes.
class KeptChannels {
  public:
    KeptChannels(const Coupling& coupling, const Plan& plan);
    /// Indices of [first, last) along the axis that stay.
    int64_t count(size_t value, size_t axis, int64_t first, int64_t last) const;
    int64_t size(size_t value, size_t axis) const;
    /// All indices that stay; empty when all do.
    std::vector<int64_t> indices(size_t value, size_t axis) const;
    bool changes(size_t value, size_t axis) const {
        return size(value, axis) != coupling_.graph.values[value].shape[axis];
    }
    /// The value is a number computed from the size of an axis that changes.
    bool changes_number(size_t value) const;

  private:
    const Coupling& coupling_;
    std::vector<uint8_t> removed_;  ///< 1 or 0 per channel of the coupling: reading bits takes longer
};

}  // namespace mtlprune
