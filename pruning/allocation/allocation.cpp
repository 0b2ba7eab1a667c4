#include "pruning/allocation/allocation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "pruning/allocation/group_limits.h"
#include "pruning/allocation/removal_order.h"
#include "pruning/allocation/shortfall.h"

namespace mtlprune {
namespace {

using Counts = std::vector<int64_t>;  ///< per group

double target_of(const Coupling& coupling, const Budget& budget) {
    if (budget.value > 1) return budget.value;
    return budget.value * static_cast<double>(amount(cost_of(coupling.graph), budget.unit));
}

class Allocator {
  public:
    Allocator(const Coupling& coupling, const std::vector<Group>& groups,
              const std::vector<torch::Tensor>& scores, const AllocationOptions& options)
        : coupling_(coupling),
          groups_(groups),
          options_(options),
          limits_(group_limits(coupling, groups, options)),
          ranked_(ranked_channels(groups, scores, limits_)),
          scopes_(make_scopes(groups, scores, ranked_, limits_, options.scope)),
          taken_(groups.size()) {}

    Allocation run() {
        std::vector<const Scope*> open;
        for (const auto& scope : scopes_) {
            const auto own = limits_[scope.groups.front()].ratio;
            if (own || options_.budget.unit == BudgetUnit::channels)
                take_ratio(scope, own.value_or(options_.budget.value));
            else if (options_.budget.unit == BudgetUnit::count)
                take_count(scope, std::llround(options_.budget.value));
            else
                open.push_back(&scope);
        }
        if (is_cost(options_.budget.unit)) meet_budget(merged_steps(open));
        result_.before = cost_of(coupling_, channel_counts(groups_));
        result_.after = cost_of(coupling_, kept(taken_));
        fill_removed();
        return std::move(result_);
    }

  private:
    static bool is_cost(BudgetUnit unit) {
        return unit == BudgetUnit::parameters || unit == BudgetUnit::macs;
    }

    /// As many as there are when they are fewer.
    void take_count(const Scope& scope, int64_t count) {
        const int64_t possible = static_cast<int64_t>(scope.steps.size());
        for (int64_t i = 0; i < std::min(count, possible); ++i) ++taken_[scope.steps[i]];
    }

    void take_ratio(const Scope& scope, double ratio) {
        const int64_t asked = scope.count_at(ratio), possible = static_cast<int64_t>(scope.steps.size());
        for (int64_t i = 0; i < std::min(asked, possible); ++i) ++taken_[scope.steps[i]];
        if (asked > possible)
            result_.notes.push_back(fmt::format(
                "{}: a ratio of {} asks for {} of {} channels, but its floor of {} lets only {} leave",
                scope.name, ratio, asked, scope.channels, scope.channels - possible, possible));
    }

    Counts after_steps(const std::vector<size_t>& steps, size_t count) const {
        auto taken = taken_;
        for (size_t i = 0; i < count; ++i) ++taken[steps[i]];
        return taken;
    }

    Counts kept(const Counts& taken) const {
        Counts counts;
        for (size_t g = 0; g < groups_.size(); ++g)
            counts.push_back(limits_[g].channels - rounded_removal(limits_[g], taken[g], options_));
        return counts;
    }

    int64_t amount_after(const Counts& taken) const {
        return amount(cost_of(coupling_, kept(taken)), options_.budget.unit);
    }

    /// Costs never grow from one step to the next, so the first that fits is found by bisection.
    void meet_budget(const std::vector<size_t>& steps) {
        const double target = target_of(coupling_, options_.budget);
        const auto fits = [&](size_t count) {
            return static_cast<double>(amount_after(after_steps(steps, count))) <= target;
        };
        if (!fits(steps.size())) fail(target, amount_after(after_steps(steps, steps.size())));
        size_t low = 0, high = steps.size();
        while (low < high) {
            const size_t middle = low + (high - low) / 2;
            if (fits(middle))
                high = middle;
            else
                low = middle + 1;
        }
        taken_ = after_steps(steps, low);
    }

    [[noreturn]] void fail(double target, int64_t smallest) const {
        const auto unit = unit_name(options_.budget.unit);
        throw Error(
            "budget", "smallest network allowed", fmt::format("at most {:.0f} {}", target, unit),
            fmt::format("{} of {}; {}", smallest, amount(cost_of(coupling_.graph), options_.budget.unit),
                        what_stops(coupling_, groups_, options_, smallest)));
    }

    void fill_removed() {
        const auto counts = kept(taken_);
        note_rounding(counts);
        result_.removed.resize(groups_.size());
        for (size_t g = 0; g < groups_.size(); ++g) {
            const int64_t count = limits_[g].channels - counts[g];
            auto& removed = result_.removed[g];
            removed.assign(ranked_[g].begin(), ranked_[g].begin() + count);
            std::sort(removed.begin(), removed.end());
        }
    }

    void note_rounding(const Counts& counts) {
        std::vector<std::string> whole;
        for (size_t g = 0; g < groups_.size(); ++g)
            if (taken_[g] > 0 && counts[g] == limits_[g].channels) whole.push_back(groups_[g].name);
        if (!whole.empty())
            result_.notes.push_back(fmt::format("rounding to multiples of {} keeps all channels of {}",
                                                options_.round_to, fmt::join(whole, ", ")));
    }

    const Coupling& coupling_;
    const std::vector<Group>& groups_;
    const AllocationOptions& options_;
    std::vector<GroupLimit> limits_;
    std::vector<std::vector<int64_t>> ranked_;
    std::vector<Scope> scopes_;
    Counts taken_;  ///< by the ranking, before rounding
    Allocation result_;
};

/// The share of the way that is done at `time` (0 to 1), when `kept` of the whole is left at its end.
double share_done(Pace pace, double time, double kept) {
    if (pace == Pace::cubic) return 1 - std::pow(1 - time, 3);
    if (pace != Pace::exponential || kept >= 1) return time;
    if (kept <= 0)
        throw Error("allocation", "pace", "one that reaches its end (linear, cubic) where nothing is left",
                    "exponential");
    return (1 - std::pow(kept, time)) / (1 - kept);
}

}  // namespace

Allocation allocate(const Coupling& coupling, const std::vector<Group>& groups,
                    const std::vector<torch::Tensor>& scores, const AllocationOptions& options) {
    return Allocator(coupling, groups, scores, options).run();
}

std::vector<size_t> open_groups(const Coupling& coupling, const std::vector<Group>& groups,
                                const AllocationOptions& options) {
    const auto limits = group_limits(coupling, groups, options);
    std::vector<size_t> open;
    for (size_t g = 0; g < groups.size(); ++g)
        if (!groups[g].frozen && !limits[g].is_ignored) open.push_back(g);
    return open;
}

bool meets_budget(const Coupling& coupling, const std::vector<Group>& groups,
                  const AllocationOptions& options) {
    const auto& budget = options.budget;
    if (budget.unit == BudgetUnit::parameters || budget.unit == BudgetUnit::macs)
        return static_cast<double>(amount(cost_of(coupling, channel_counts(groups)), budget.unit)) <=
               target_of(coupling, budget);
    int64_t all = 0, left = 0;
    for (const size_t g : open_groups(coupling, groups, options)) {
        all += coupling.groups[g].channels;
        left += groups[g].channels;
    }
    if (budget.unit == BudgetUnit::count) return static_cast<double>(all - left) >= budget.value;
    return left <= static_cast<int64_t>(static_cast<double>(all) * (1.0 - budget.value));
}

AllocationOptions at_step(const Coupling& coupling, const AllocationOptions& options, int64_t step,
                          int64_t steps, Pace pace) {
    if (pace == Pace::each) return options;
    if (step < 1 || step > steps)
        throw Error("allocation", "step", fmt::format("1 to {}", steps), std::to_string(step));
    auto scaled = options;
    if (step == steps) return scaled;
    const double time = static_cast<double>(step) / static_cast<double>(steps);
    for (auto& [pattern, ratio] : scaled.ratios) ratio *= share_done(pace, time, 1 - ratio);
    auto& budget = scaled.budget;
    if (budget.unit == BudgetUnit::count)
        throw Error("allocation", "pace", "a budget of channels, parameters or MACs to be approached",
                    "a count");
    if (budget.unit == BudgetUnit::channels) {
        budget.value *= share_done(pace, time, 1 - budget.value);
        return scaled;
    }
    const auto whole = static_cast<double>(amount(cost_of(coupling.graph), budget.unit));
    const double target = target_of(coupling, budget);
    budget.value = whole - (whole - target) * share_done(pace, time, target / whole);
    return scaled;
}

}  // namespace mtlprune
