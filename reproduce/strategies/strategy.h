// A way of pruning as data: registry entries, when, how much. One JSON file per published method is in this
// folder.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/json_reader.h"
#include "pruning/allocation/allocation.h"
#include "pruning/surgery/plan.h"

namespace mtlprune {

/// When channels leave.
struct PruningSchedule {
    int64_t frequency = 500;  ///< mini-batches between events
    int64_t events = 0;       ///< 0: until every group is at its floor
    Pace pace = Pace::each;   ///< in which the events approach the budget
    int64_t observed = 10;    ///< mini-batches that a criterion sees which runs passes of its own
};

struct Strategy {
    std::string summary, paper;  ///< one line each; empty for a bare criterion
    std::string criterion;       ///< an entry of criteria(), perhaps with options
    std::string regularizer;     ///< an entry of regularizers(), perhaps with options; empty: none
    PruningSchedule schedule;
    AllocationOptions allocation;  ///< of every event
    EditKind edit = EditKind::remove;
    bool reset_optimizer = false;  ///< fresh moments after every event
    /// An entry of weight_maskings(), perhaps with options: single weights are masked, no channel leaves, and
    /// all above but summary and paper has no meaning. Empty: none.
    std::string weight_masking = {};
    nlohmann::json json;  ///< all of this but summary and paper, defaults included
};

/// {"summary", "paper", "criterion": NAME, "regularizer": NAME, "schedule": {"frequency", "events", "pace":
/// each, linear, cubic or exponential; "observed"}, "allocation": {"scope": local, isomorphic, owner or
/// global; "budget":
/// {"count", "channels", "parameters" or "macs": NUMBER}; "part": shared (by all tasks) or all; "only",
/// "ignore": [EXPRESSION]; "min_channels", "max_ratio", "round_to"}, "edit": remove or mask,
/// "reset_optimizer"}. What is absent is as in the main paper: every 500 mini-batches the 100 lowest of all
/// shared channels, at least 5 in every group. Or {"summary", "paper", "weight_masking": NAME}. Throws Error
/// on anything else.
Strategy read_strategy(const nlohmann::json& json, const std::string& place);

/// The strategy of that name or, when there is none, of a criterion (perhaps with options) in the main
/// paper's way, with the keys of `changes` ("schedule", "allocation", ...) replacing its own, one by one.
/// Throws Error naming `place` and the nearest strategy.
Strategy named_strategy(const std::string& name, const nlohmann::json& changes, const std::string& place);

/// Those that come with the program, sorted.
std::vector<std::string> strategy_names();

/// Keys of a strategy that an experiment may change.
const std::vector<std::string>& strategy_keys();

}  // namespace mtlprune
