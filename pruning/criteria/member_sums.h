// Sums over the slices that a channel has in the tensors of its group.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "pruning/criteria/score_reduction.h"
#include "pruning/evidence/evidence.h"
#include "pruning/evidence/weight_sums.h"

namespace mtlprune {

/// Gradient of a stored tensor by its name, or null when it is not known.
using GradientOf = std::function<const torch::Tensor*(const std::string&)>;

/// For `members[i]` of group `numbers[i]`: one list per member of sums over its channels' slices, times the
/// member's multiplicity; every weight is read once. With `gradient_of`, sums over weights times gradients,
/// and a member whose gradient is not known has zeros.
std::vector<std::vector<ChannelValues>> member_sums(const Evidence& evidence,
                                                    const std::vector<size_t>& numbers,
                                                    const std::vector<std::vector<ScoredMember>>& members,
                                                    Summand summand, const GradientOf& gradient_of = {});

}  // namespace mtlprune
