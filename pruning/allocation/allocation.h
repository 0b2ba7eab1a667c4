// Which channels leave, so that a budget is met: ranking scopes, floors, exclusions, exact costs.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "pruning/cost/cost.h"
#include "pruning/coupling/groups.h"

namespace mtlprune {

/// Groups whose channels are ranked against each other. local: each group by itself. isomorphic: groups of
/// the same pattern, i.e. whose members have the same operators, roles and dimensions in the same order (Fang
/// et al., Isomorphic Pruning, 2024). owner: groups that reach the same outputs, i.e. the shared backbone,
/// and each task's head. global: all.
enum class RankingScope { local, isomorphic, owner, global };

enum class BudgetUnit { channels, count, parameters, macs };

/// channels: `value` in [0, 1) is the share of each scope's channels that leaves. count: how many of each
/// scope's channels leave. parameters, macs: what may stay, as a share of the network that was coupled (up to
/// 1) or as a number (above 1).
struct Budget {
    BudgetUnit unit = BudgetUnit::channels;
    double value = 0.5;
};

/// How the number of channels that a group keeps becomes a multiple.
enum class Rounding { up, nearest, down };

/// Regular expressions (ECMAScript) must match a whole name: of a group, of a tensor that produces or
/// transforms the group's channels ("layer1.0.bn2.weight"), or of that tensor's module ("layer1.0.bn2"). One
/// that matches nothing in the network is an Error.
struct AllocationOptions {
    RankingScope scope = RankingScope::local;
    Budget budget;
    /// Expression -> share of its channels that each matching group loses, ranked by itself and outside of
    /// the budget's scopes; the first that matches counts.
    std::vector<std::pair<std::string, double>> ratios;
    std::vector<std::string> only;    ///< groups that may shrink; empty: all
    std::vector<std::string> ignore;  ///< groups that stay whole
    int64_t min_channels = 1;         ///< every group keeps at least this many (or all it has)
    bool may_empty = false;           ///< min_channels may be 0: for masks, no layer can do without channels
    double max_ratio = 1.0;  ///< a group never loses more than this share of what it had when coupled
    /// Groups that lose channels keep a multiple of this, never under the two floors above.
    int64_t round_to = 1;
    Rounding rounding = Rounding::up;
};

/// How a budget is approached over several events: what is left goes down linearly, by the cubic law of Zhu
/// and Gupta (2017), or by the same factor each time (SynFlow). each: every event takes the whole budget from
/// what is there.
enum class Pace { each, linear, cubic, exponential };

struct Allocation {
    std::vector<std::vector<int64_t>> removed;  ///< per group, ascending: what make_plan takes
    Cost before, after;                         ///< of the network now, and when these have left
    std::vector<std::string> notes;             ///< channel budgets that floors and maximum ratios cut short
};

/// `groups` are those of `coupling`, perhaps after channels left; ratios, shares and floors refer to the
/// network as it was coupled. `scores`: one tensor [C] per group, higher = keep (not read for frozen groups).
///
/// A scope of m channels, m0 when coupled, loses its m - floor(m0 * (1 - ratio)) lowest ones, the rule of
/// Torch-Pruning 1.6. For parameters and MACs all scopes lose channels at the same pace, and the network that
/// keeps the most channels while costing no more than the budget is found by bisection on exact costs. Ties
/// by (score, group, index). Throws Error on NaN scores (naming group and channel) and on a budget of
/// parameters or MACs that cannot be met, saying what stops it.
Allocation allocate(const Coupling& coupling, const std::vector<Group>& groups,
                    const std::vector<torch::Tensor>& scores, const AllocationOptions& options);

/// Numbers of the groups that the options let shrink at all: those that need scores.
std::vector<size_t> open_groups(const Coupling& coupling, const std::vector<Group>& groups,
                                const AllocationOptions& options);

/// Whether `groups` are what the budget asks for, or less: parameters and MACs are within it, or that share
/// or number of the channels that may shrink has left.
bool meets_budget(const Coupling& coupling, const std::vector<Group>& groups,
                  const AllocationOptions& options);

/// The options for event `step` (from 1) of `steps`: budget and ratios after each event lie on the pace's
/// curve from the network as coupled to what `options` asks for, which the last event gets exactly. Throws
/// Error for a step that does not exist, and for a count that is to be approached.
AllocationOptions at_step(const Coupling& coupling, const AllocationOptions& options, int64_t step,
                          int64_t steps, Pace pace = Pace::linear);

}  // namespace mtlprune
