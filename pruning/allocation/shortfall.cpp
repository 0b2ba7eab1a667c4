#include "pruning/allocation/shortfall.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <map>

#include "pruning/allocation/group_limits.h"

namespace mtlprune {
namespace {

constexpr size_t kMostReasons = 3;

struct Share {
    int64_t groups = 0, channels = 0;
};

/// The reasons that hold most channels first.
std::string frozen_reasons(const std::vector<Group>& groups) {
    std::map<std::string, Share> shares;
    for (const auto& group : groups)
        if (group.frozen) {
            ++shares[group.reason].groups;
            shares[group.reason].channels += group.channels;
        }
    std::vector<std::pair<std::string, Share>> order(shares.begin(), shares.end());
    std::stable_sort(order.begin(), order.end(),
                     [](const auto& a, const auto& b) { return a.second.channels > b.second.channels; });
    std::string text;
    for (size_t i = 0; i < std::min(order.size(), kMostReasons); ++i)
        text += fmt::format("{}{} channels of {} groups: {}", i == 0 ? "" : "; ", order[i].second.channels,
                            order[i].second.groups, order[i].first);
    if (order.size() > kMostReasons) text += fmt::format("; {} more reasons", order.size() - kMostReasons);
    return text;
}

int64_t smallest_amount(const Coupling& coupling, const std::vector<Group>& groups,
                        const AllocationOptions& options) {
    return amount(cost_of(coupling, fewest_channels(coupling, groups, options)), options.budget.unit);
}

int64_t smallest_without_frozen(const Coupling& coupling, const std::vector<Group>& groups,
                                const AllocationOptions& options) {
    auto kept = fewest_channels(coupling, groups, options);
    for (size_t g = 0; g < groups.size(); ++g)
        if (groups[g].frozen) kept[g] = 1;
    return amount(cost_of(coupling, kept), options.budget.unit);
}

}  // namespace

int64_t amount(const Cost& cost, BudgetUnit unit) {
    if (unit == BudgetUnit::channels || unit == BudgetUnit::count) return 0;
    return unit == BudgetUnit::parameters ? cost.parameters : cost.macs;
}

std::string unit_name(BudgetUnit unit) {
    if (unit == BudgetUnit::channels || unit == BudgetUnit::count) return "channels";
    return unit == BudgetUnit::parameters ? "parameters" : "MACs";
}

std::vector<int64_t> fewest_channels(const Coupling& coupling, const std::vector<Group>& groups,
                                     const AllocationOptions& options) {
    std::vector<int64_t> kept;
    for (const auto& limit : group_limits(coupling, groups, options))
        kept.push_back(limit.channels - rounded_removal(limit, limit.channels - limit.floor, options));
    return kept;
}

std::string what_stops(const Coupling& coupling, const std::vector<Group>& groups,
                       const AllocationOptions& options, int64_t smallest) {
    std::vector<std::string> parts;
    const int64_t limited = smallest_amount(coupling, groups, options);
    const auto add = [&](int64_t without, const std::string& what) {
        if (without < limited) parts.push_back(fmt::format("{} hold {}", what, limited - without));
    };
    const auto add_without = [&](const std::string& what,
                                 const std::function<void(AllocationOptions&)>& lift) {
        auto lifted = options;
        lift(lifted);
        add(smallest_amount(coupling, groups, lifted), what);
    };
    if (limited < smallest)
        parts.push_back(fmt::format("ratios of single groups hold {}", smallest - limited));
    add(smallest_without_frozen(coupling, groups, options),
        fmt::format("frozen channels ({})", frozen_reasons(groups)));
    add_without("ignored groups", [](AllocationOptions& o) { o.ignore.clear(); });
    add_without(fmt::format("floors of {} channels", options.min_channels),
                [](AllocationOptions& o) { o.min_channels = 1; });
    add_without(fmt::format("maximum ratios of {}", options.max_ratio),
                [](AllocationOptions& o) { o.max_ratio = 1.0; });
    add_without(fmt::format("multiples of {}", options.round_to),
                [](AllocationOptions& o) { o.round_to = 1; });
    if (parts.empty()) return "one channel of every group is the least a network can have";
    return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace mtlprune
