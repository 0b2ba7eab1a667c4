// In which order channels leave.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "pruning/allocation/group_limits.h"

namespace mtlprune {

/// A group's channels, the lowest score first; ties by index. Throws Error on NaN and on a wrong number of
/// scores. Empty for groups that keep all (frozen, ignored).
std::vector<std::vector<int64_t>> ranked_channels(const std::vector<Group>& groups,
                                                  const std::vector<torch::Tensor>& scores,
                                                  const std::vector<GroupLimit>& limits);

/// Groups ranked against each other. Step by step the lowest channel that is left in group `steps[i]` leaves,
/// until all are at their floors.
struct Scope {
    std::string name;  ///< for messages
    std::vector<size_t> groups;
    int64_t channels = 0;  ///< now
    int64_t original = 0;  ///< when coupled
    std::vector<size_t> steps;

    /// How many steps a ratio asks for, which may be more than there are.
    int64_t count_at(double ratio) const;
};

/// Scopes in the order of their first groups. Groups with a ratio of their own are scopes of their own; those
/// that keep all are in none.
std::vector<Scope> make_scopes(const std::vector<Group>& groups, const std::vector<torch::Tensor>& scores,
                               const std::vector<std::vector<int64_t>>& ranked,
                               const std::vector<GroupLimit>& limits, RankingScope kind);

/// All scopes' steps in one order, in which the scopes lose the same share of their channels at any time.
std::vector<size_t> merged_steps(const std::vector<const Scope*>& scopes);

}  // namespace mtlprune
