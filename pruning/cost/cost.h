// Exact cost of a network on its example input, before and after pruning that has not happened yet.
#pragma once

#include <cstdint>
#include <vector>

#include "pruning/coupling/groups.h"

namespace mtlprune {

struct Cost {
    int64_t parameters = 0;  ///< elements of all parameters (buffers not counted)
    int64_t macs = 0;  ///< multiply-accumulates of convolutions and matrix products, whole example batch
    int64_t activation_bytes =
        0;  ///< all operators' results; views and in-place results share memory and count once
    bool operator==(const Cost&) const = default;
};

/// Cost when group g keeps `kept[g]` channels, recomputed from the shapes: what surgery would give, without
/// doing it. Counts refer to the network as it was coupled. Throws Error when they do not fit the groups.
Cost cost_of(const Coupling& coupling, const std::vector<int64_t>& kept);

/// Cost of the network as it was traced.
Cost cost_of(const TracedGraph& graph);

}  // namespace mtlprune
