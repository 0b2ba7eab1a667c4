// What a search is: it decides which channels leave by looking at the losses of candidate networks.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/registry.h"
#include "pruning/allocation/allocation.h"

namespace mtlprune {

/// The tasks' losses of the network without these channels, per group as in make_plan().
using LossesWithout = std::function<std::vector<double>(const std::vector<std::vector<int64_t>>& removed)>;

/// A network that is about to lose channels.
struct SearchSubject {
    const Coupling& coupling;
    const std::vector<Group>& groups;          ///< those of `coupling`, perhaps after channels left
    const std::vector<torch::Tensor>& scores;  ///< of the network as it is, as for allocate()
    /// Which groups may shrink and how far; scope and budget do not matter here.
    const AllocationOptions& allocation;
    LossesWithout losses;
    int64_t round = 0;  ///< events before this one
    std::function<void(int64_t done, int64_t total)> progress = {};
};

/// Takes the place of allocate() in an event. Has no memory of events before.
class Search {
  public:
    virtual ~Search() = default;
    /// May find that no channel can leave. Throws Error on losses that it cannot compare.
    virtual Allocation choose(const SearchSubject& subject) const = 0;
};

/// Every search there is. A program may add its own before it uses any.
Registry<Search>& searches();

}  // namespace mtlprune
