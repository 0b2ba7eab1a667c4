// Which channels leave so that a network is as fast as asked, at the least loss of score.
#pragma once

#include <string>
#include <vector>

#include "bench/latency/network_latency.h"
#include "pruning/allocation/allocation.h"

namespace mtlprune {

struct LatencyAllocation {
    std::vector<int64_t> kept;  ///< per group
    double predicted = 0;       ///< seconds
    double dense = 0;           ///< of the network as it was coupled
    double least = 0;           ///< of the smallest network that the options allow
};

/// Steps from one width that the engine likes to the next: always the one that loses the least score per
/// second saved. The lowest channels of a group leave first. Widths are multiples of `liked` (and below it
/// halves of it down to 1) within the options' floors; options.budget is not read. Throws Error when the
/// budget lies below what can be reached, saying what that is.
LatencyAllocation allocate_latency(const Coupling& coupling, const std::vector<torch::Tensor>& scores,
                                   const AllocationOptions& options, const Predict& predict, double budget,
                                   int64_t liked = 8);

/// The options with which allocate() leaves exactly these channels: a ratio for every group.
AllocationOptions with_widths(const Coupling& coupling, const std::vector<int64_t>& kept,
                              AllocationOptions options);

}  // namespace mtlprune
