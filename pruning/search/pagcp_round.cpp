#include "pruning/search/pagcp_round.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "base/error.h"
#include "pruning/search/allowance.h"
#include "pruning/search/ratio_candidates.h"

namespace mtlprune {
namespace {

constexpr int64_t kRatios = 19, kGrid = 20;  ///< 0.05, 0.10, ... 0.95
constexpr int64_t kOrderRatio = 6;           ///< 0.30
constexpr double kInfinity = std::numeric_limits<double>::infinity();

using TaskLosses = std::vector<double>;

/// A group in its turn.
struct PagcpUnit {
    size_t group;
    int64_t saving;               ///< MACs
    std::vector<int64_t> counts;  ///< candidates: how many channels leave
};

struct PagcpChoice {
    size_t group;
    int64_t count;
    double rise;  ///< of the sum of the losses in its turn
};

double sum_of(const TaskLosses& losses) {
    return std::accumulate(losses.begin(), losses.end(), 0.0);
}

TaskLosses checked_losses(TaskLosses losses) {
    for (size_t t = 0; t < losses.size(); ++t)
        if (losses[t] < 0.0)
            throw Error("search pagcp", fmt::format("loss of task {}", t),
                        "at least 0 (losses are compared by their ratios)", fmt::format("{}", losses[t]));
    return losses;
}

class PagcpRound {
  public:
    PagcpRound(const SearchSubject& subject, const PagcpOptions& options)
        : subject_(subject), options_(options), candidates_(subject), removed_(subject.groups.size()) {}

    Allocation run() {
        const auto units = ordered_units();
        const auto count = static_cast<int64_t>(units.size());
        begin(checked_losses(subject_.losses(removed_)));
        for (int64_t u = 0; u < count; ++u) {
            if (subject_.progress) subject_.progress(u, count);
            visit(units[static_cast<size_t>(u)]);
        }
        return allocation(best_choices(count), count);
    }

  private:
    std::vector<PagcpUnit> ordered_units() {
        std::vector<PagcpUnit> units;
        const int64_t whole = candidates_.macs(candidates_.present());
        for (const size_t g : candidates_.groups()) {
            auto kept = candidates_.present();
            kept[g] -= candidates_.count(g, kOrderRatio, kGrid);
            units.push_back({g, whole - candidates_.macs(kept), {}});
            for (int64_t step = 1; step <= kRatios; ++step)
                if (const int64_t count = candidates_.count(g, step, kGrid);
                    count > 0 || options_.empty_candidates)
                    units.back().counts.push_back(count);
        }
        const auto events = static_cast<double>(subject_.round);
        rate_ = options_.rate + options_.rate_slope * events;
        if (options_.growing && !units.empty())
            growth_ = allowance_growth(rate_, options_.factor + options_.factor_slope * events,
                                       static_cast<int64_t>(units.size()));
        std::stable_sort(units.begin(), units.end(), [this](const PagcpUnit& a, const PagcpUnit& b) {
            return growth_ <= 1.0 ? a.saving > b.saving : a.saving < b.saving;
        });
        return units;
    }

    void begin(TaskLosses losses) {
        for (size_t t = 0; t < losses.size(); ++t)
            if (!std::isfinite(losses[t]))
                throw Error("search pagcp", fmt::format("loss of task {} of the network as it is", t),
                            "a finite one", fmt::format("{}", losses[t]));
        base_ = std::move(losses);
        base_sum_ = sum_of(base_);
        stopped_by_.assign(base_.size(), 0);
    }

    /// Different ratios may take equally many channels.
    const TaskLosses& losses_at(const PagcpUnit& unit, size_t candidate) {
        const int64_t count = unit.counts[candidate];
        auto& known = of_unit_[count];
        if (known.empty()) {
            auto removed = removed_;
            removed[unit.group] = candidates_.lowest(unit.group, count);
            known = checked_losses(subject_.losses(removed));
        }
        return known;
    }

    /// The task whose loss rises most, and by which factor.
    std::pair<size_t, double> worst(const TaskLosses& losses) const {
        std::pair<size_t, double> worst(0, -1.0);
        for (size_t t = 0; t < losses.size(); ++t) {
            const double base = base_[t] == 0.0 ? 1e-12 : base_[t];
            const double rise = std::isnan(losses[t]) ? kInfinity : losses[t] / base;
            if (rise > worst.second) worst = {t, rise};
        }
        return worst;
    }

    /// By bisection: if all candidates before one that passes do too.
    size_t first_failing(const PagcpUnit& unit) {
        size_t low = 0, high = unit.counts.size();
        while (low < high) {
            const size_t middle = options_.binary ? low + (high - low) / 2 : low;
            if (worst(losses_at(unit, middle)).second > 1.0 + rate_)
                high = middle;
            else
                low = middle + 1;
        }
        return low;
    }

    void visit(const PagcpUnit& unit) {
        of_unit_.clear();
        const size_t failing = first_failing(unit), all = unit.counts.size();
        if (failing < all) ++stopped_by_[worst(losses_at(unit, failing)).first];
        if (failing == 0) {
            if (!options_.skipped_keep_rate) rate_ *= growth_;
            return;
        }
        const bool stays = failing == all && options_.dense_when_all_pass;
        const size_t last = stays && all > 1 ? all - 2 : failing - 1;
        const auto losses = losses_at(unit, last);
        choices_.push_back({unit.group, unit.counts[last], sum_of(losses) - base_sum_});
        if (stays) return;
        removed_[unit.group] = candidates_.lowest(unit.group, unit.counts[last]);
        rate_ *= growth_;
        base_sum_ = std::max(base_sum_, sum_of(losses));
        for (size_t t = 0; t < base_.size(); ++t) base_[t] = std::max(base_[t], losses[t]);
    }

    std::vector<PagcpChoice> best_choices(int64_t units) const {
        auto kept = candidates_.present();
        int64_t macs = candidates_.macs(kept);
        std::vector<std::pair<double, size_t>> order;
        for (size_t i = 0; i < choices_.size(); ++i) {
            kept[choices_[i].group] -= choices_[i].count;
            const int64_t now = candidates_.macs(kept), saved = macs - now;
            macs = now;
            order.emplace_back(saved > 0 ? choices_[i].rise / static_cast<double>(saved) : kInfinity, i);
        }
        std::sort(order.begin(), order.end());
        // The product is rounded before it is cut: 10 * 0.7 is a little less than 7.
        const auto most = static_cast<size_t>(options_.topk * static_cast<double>(units) + 1e-9);
        std::vector<PagcpChoice> best;
        for (size_t i = 0; i < std::min(order.size(), most); ++i) best.push_back(choices_[order[i].second]);
        return best;
    }

    Allocation allocation(const std::vector<PagcpChoice>& chosen, int64_t units) const {
        Allocation result;
        auto kept = candidates_.present();
        result.before = cost_of(subject_.coupling, kept);
        result.removed.resize(kept.size());
        for (const auto& choice : chosen) {
            result.removed[choice.group] = candidates_.lowest(choice.group, choice.count);
            kept[choice.group] -= choice.count;
        }
        result.after = cost_of(subject_.coupling, kept);
        result.notes.push_back(
            fmt::format("pagcp: {} of {} groups may lose channels and {} do; groups stopped by each task: {}",
                        choices_.size(), units, chosen.size(), fmt::join(stopped_by_, ", ")));
        return result;
    }

    const SearchSubject& subject_;
    const PagcpOptions& options_;
    RatioCandidates candidates_;
    std::vector<std::vector<int64_t>> removed_;  ///< from the network as searched so far
    double rate_ = 0.0, growth_ = 1.0;
    TaskLosses base_;
    double base_sum_ = 0.0;
    std::map<int64_t, TaskLosses> of_unit_;  ///< in the turn of a group, by count
    std::vector<PagcpChoice> choices_;
    std::vector<int64_t> stopped_by_;  ///< per task
};

}  // namespace

Allocation pagcp_round(const SearchSubject& subject, const PagcpOptions& options) {
    return PagcpRound(subject, options).run();
}

}  // namespace mtlprune
