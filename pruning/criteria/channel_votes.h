// How tasks that rank channels each by itself decide together which of them stay.
#pragma once

#include <torch/types.h>

#include <cstddef>
#include <vector>

#include "base/registry.h"
#include "pruning/evidence/evidence.h"
#include "pruning/masks/weight_masks.h"

namespace mtlprune {

struct VoteRule {
    Vote vote = Vote::all;  ///< who must agree that a channel leaves
    size_t votes = 0;       ///< in place of it, above 0: so many tasks must keep a channel (or all, of fewer)

    /// How many of `tasks` tasks that use a channel must keep it.
    size_t needed(size_t tasks) const;
};

/// "vote" and "votes"
std::vector<Option> channel_vote_options();
VoteRule read_vote_rule(const nlohmann::json& options);

/// Per asked group the numbers of the tasks whose outputs depend on it: of all tasks where outputs are not
/// tasks.
std::vector<std::vector<size_t>> tasks_using(const Evidence& now, size_t tasks);

/// Every task ranks all channels that it uses. At a keep ratio k it keeps those of rank (0 is its best) below
/// k times their number, but none of score 0; the rule makes one decision of theirs. The result says up to
/// which k a channel stays: per group [C], float64, as long as its number is greater than 1 - k. So the
/// channels with the lowest numbers are what the tasks remove together, for every k.
/// scores: per group [C, T], not negative. users: per group, the numbers of the tasks that use it. Equal
/// scores rank by (group, channel), the first lowest.
std::vector<torch::Tensor> vote(const std::vector<torch::Tensor>& scores,
                                const std::vector<std::vector<size_t>>& users, const VoteRule& rule);

}  // namespace mtlprune
