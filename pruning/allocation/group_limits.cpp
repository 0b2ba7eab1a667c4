#include "pruning/allocation/group_limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <regex>
#include <unordered_map>

#include "base/error.h"
#include "base/json_reader.h"

namespace mtlprune {
namespace {

void require(bool holds, const std::string& option, const std::string& expected, double found) {
    if (!holds) throw Error("allocation", option, expected, fmt::format("{}", found));
}

void check(const AllocationOptions& options) {
    const auto& budget = options.budget;
    const bool is_share = budget.unit == BudgetUnit::channels;
    if (is_share) require(budget.value >= 0 && budget.value < 1, "ratio", "a share in [0, 1)", budget.value);
    if (budget.unit == BudgetUnit::count)
        require(budget.value >= 0 && budget.value == std::floor(budget.value), "count",
                "a whole number of channels", budget.value);
    else if (!is_share)
        require(budget.value > 0 && std::isfinite(budget.value), "budget", "a share or number above 0",
                budget.value);
    for (const auto& [pattern, ratio] : options.ratios)
        require(ratio >= 0 && ratio < 1, "ratio of '" + pattern + "'", "a share in [0, 1)", ratio);
    require(options.max_ratio >= 0 && options.max_ratio <= 1, "maximum ratio", "a share in [0, 1]",
            options.max_ratio);
    require(options.min_channels >= (options.may_empty ? 0 : 1), "minimum of channels",
            options.may_empty ? "0 or more" : "1 or more", static_cast<double>(options.min_channels));
    require(options.round_to >= 1, "multiple to round to", "1 or more",
            static_cast<double>(options.round_to));
}

/// One expression and what it matched, so that each name is matched once.
class Pattern {
  public:
    explicit Pattern(const std::string& text) : text_(text) {
        try {
            expression_.assign(text);
        } catch (const std::regex_error& error) {
            throw Error("allocation", "pattern '" + text + "'", "a regular expression", error.what());
        }
    }

    bool matches(const Group& group) {
        bool result = matches_name(group.name);
        for (const auto& member : group.members) {
            const bool is_match = matches_name(member.tensor) || matches_name(module_of(member.tensor));
            result = result || (is_match && member.role != Role::input);
        }
        return result;
    }

    /// A tensor that is only read counts as known, though its reader's input may shrink.
    void require_match(const std::vector<Group>& groups) const {
        if (is_used_) return;
        std::vector<std::string> names;
        names.reserve(groups.size());
        for (const auto& group : groups) names.push_back(group.name);
        throw Error("allocation", "pattern '" + text_ + "'", "the name of a group, tensor or module",
                    "no match" + did_you_mean(text_, names));
    }

  private:
    bool matches_name(const std::string& name) {
        const auto [it, is_new] = known_.emplace(name, false);
        if (is_new) it->second = std::regex_match(name, expression_);
        is_used_ = is_used_ || it->second;
        return it->second;
    }

    std::string text_;
    std::regex expression_;
    std::unordered_map<std::string, bool> known_;
    bool is_used_ = false;
};

void apply_ignored(std::vector<GroupLimit>& limits, const std::vector<Group>& groups,
                   const std::vector<std::string>& patterns) {
    for (const auto& text : patterns) {
        Pattern pattern(text);
        for (size_t g = 0; g < groups.size(); ++g)
            limits[g].is_ignored = pattern.matches(groups[g]) || limits[g].is_ignored;
        pattern.require_match(groups);
    }
}

void apply_only(std::vector<GroupLimit>& limits, const std::vector<Group>& groups,
                const std::vector<std::string>& patterns) {
    if (patterns.empty()) return;
    std::vector<bool> chosen(groups.size());
    for (const auto& text : patterns) {
        Pattern pattern(text);
        for (size_t g = 0; g < groups.size(); ++g) chosen[g] = pattern.matches(groups[g]) || chosen[g];
        pattern.require_match(groups);
    }
    for (size_t g = 0; g < groups.size(); ++g) limits[g].is_ignored = limits[g].is_ignored || !chosen[g];
}

void apply_ratios(std::vector<GroupLimit>& limits, const std::vector<Group>& groups,
                  const std::vector<std::pair<std::string, double>>& ratios) {
    for (const auto& [text, ratio] : ratios) {
        Pattern pattern(text);
        for (size_t g = 0; g < groups.size(); ++g)
            if (pattern.matches(groups[g]) && !limits[g].ratio) limits[g].ratio = ratio;
        pattern.require_match(groups);
    }
}

int64_t floor_of(const GroupLimit& limit, const AllocationOptions& options) {
    // The product is rounded before it is cut: 10 * 0.7 is a little less than 7.
    const auto most = static_cast<int64_t>(options.max_ratio * static_cast<double>(limit.original) + 1e-9);
    const int64_t floor =
        std::max({options.min_channels, limit.original - most, options.may_empty ? int64_t{0} : int64_t{1}});
    return std::min(floor, limit.channels);
}

int64_t rounded(int64_t kept, const AllocationOptions& options) {
    const int64_t multiple = options.round_to, below = kept - kept % multiple;
    if (below == kept) return kept;
    if (options.rounding == Rounding::down) return below;
    const bool is_up = options.rounding == Rounding::up || 2 * (kept - below) >= multiple;
    return is_up ? below + multiple : below;
}

}  // namespace

std::vector<GroupLimit> group_limits(const Coupling& coupling, const std::vector<Group>& groups,
                                     const AllocationOptions& options) {
    check(options);
    if (groups.size() != coupling.groups.size())
        throw Error("allocation", "groups", fmt::format("the {} that were coupled", coupling.groups.size()),
                    std::to_string(groups.size()));
    std::vector<GroupLimit> limits;
    for (size_t g = 0; g < groups.size(); ++g)
        limits.push_back({groups[g].channels, coupling.groups[g].channels, 0, false, {}});
    apply_only(limits, groups, options.only);
    apply_ignored(limits, groups, options.ignore);
    apply_ratios(limits, groups, options.ratios);
    for (size_t g = 0; g < groups.size(); ++g) {
        const bool is_fixed = groups[g].frozen || limits[g].is_ignored;
        limits[g].floor = is_fixed ? groups[g].channels : floor_of(limits[g], options);
    }
    return limits;
}

int64_t rounded_removal(const GroupLimit& limit, int64_t count, const AllocationOptions& options) {
    if (count == 0) return 0;
    int64_t kept = rounded(limit.channels - count, options);
    if (kept < limit.floor)
        kept = limit.floor + (options.round_to - limit.floor % options.round_to) % options.round_to;
    return limit.channels - std::min(kept, limit.channels);
}

}  // namespace mtlprune
