// Which channels of a group PFP keeps at which relative error, and what it multiplies them by.
#pragma once

#include <torch/types.h>

#include <vector>

#include "pruning/criteria/pfp/group_sensitivity.h"
#include "pruning/criteria/pfp/sample_draws.h"

namespace mtlprune {

/// PFP's three variants. All are made monotone: what stays at one error stays at every smaller one.
enum class DrawRule {
    top,     ///< as many of the most sensitive channels as distinct ones are expected
    random,  ///< the channels of the first draws of one sequence, rescaled
    /// Channels of which a draw or more is expected stay as they are, the others as with `random`, in
    /// proportion among themselves. (The released code draws the others anew for every width, so a larger
    /// error may keep channels that a smaller one does not.)
    hybrid
};

/// The score of channels that no answer depends on: the lower end of the errors that the released code tries.
inline constexpr double kNoError = -300;

/// Vectors are in the order of the channels' sensitivities.
struct GroupDraws {
    DrawRule rule;
    uint64_t key;
    double coefficient;
    std::vector<int64_t> order;  ///< channels, most sensitive first
    std::vector<double> shares;  ///< of the draws
    std::vector<double> first;   ///< every channel's first draw; none with DrawRule::top
    std::vector<double> needed;  ///< the fewest draws with which it stays

    /// float64 [C], by channel: log10 of the error up to which it stays.
    torch::Tensor scores() const;
    /// float64, of the channels `kept` (int64): what their weights are multiplied by at log10(error), or at
    /// the nearest at which these are the channels that stay. Undefined when that is so at none.
    torch::Tensor factors(const torch::Tensor& kept, double log_error) const;
};

GroupDraws group_draws(const GroupSensitivity& group, DrawRule rule, uint64_t key);

/// log10 of an error at which every group keeps the channels `kept`, in the middle of all there are; where
/// there is none (groups were not ranked against each other), of one between the groups'.
double agreed_error(const std::vector<GroupDraws>& groups, const std::vector<torch::Tensor>& kept);

}  // namespace mtlprune
