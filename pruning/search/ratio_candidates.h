// Candidates of a search: a group without a share of its channels.
#pragma once

#include <cstdint>
#include <vector>

#include "pruning/allocation/group_limits.h"
#include "pruning/search/search.h"

namespace mtlprune {

/// What leaves a group at a ratio, as far as the limits of the allocation let it.
class RatioCandidates {
  public:
    /// The subject must outlive it. Throws Error as allocate() does.
    explicit RatioCandidates(const SearchSubject& subject);

    /// Numbers of the groups that may lose channels.
    std::vector<size_t> groups() const;
    /// Channels of every group.
    const std::vector<int64_t>& present() const { return present_; }
    /// How many channels leave at a ratio of numerator / denominator.
    int64_t count(size_t group, int64_t numerator, int64_t denominator) const;
    /// These channels, ascending: those with the lowest scores.
    std::vector<int64_t> lowest(size_t group, int64_t count) const;
    /// MACs of the network that keeps so many channels of every group.
    int64_t macs(const std::vector<int64_t>& kept) const;

  private:
    const SearchSubject& subject_;
    std::vector<GroupLimit> limits_;
    std::vector<std::vector<int64_t>> ranked_;
    std::vector<int64_t> present_;
};

}  // namespace mtlprune
