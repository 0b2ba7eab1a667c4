// C3: during iterative pruning the paper's criterion is not worse than Taylor.
#include <fmt/format.h>

#include <algorithm>

#include "reproduce/analysis/claim_setting.h"
#include "reproduce/analysis/size_curve.h"

namespace mtlprune {
namespace {

constexpr int kGridSizes = 101;

Claim describe_iterative_pruning(const ClaimSetting& setting) {
    const std::string first = criterion_label(setting.first), second = criterion_label(setting.second);
    Claim claim;
    claim.id = "C3";
    claim.title = fmt::format("During iterative pruning, {} is not worse than {}", first, second);
    claim.statement = fmt::format(
        "While the network shrinks, {0} keeps every task not worse than {1} by more than the margin. "
        "Difference: {0} "
        "minus {1}, averaged within each seed over {2} sizes evenly spaced in the logarithm of the parameter "
        "count, "
        "over the range that all curves share.",
        first, second, kGridSizes);
    claim.rule =
        "Paired non-inferiority t-test per task, Holm over tasks. Supported: no task is worse by the margin. "
        "Refuted: "
        "on some task the difference is significantly worse than the margin (its interval lies wholly beyond "
        "it).";
    return claim;
}

std::vector<std::pair<double, double>> points_of(const ClaimSetting& setting, const std::string& criterion,
                                                 int64_t seed, const std::string& metric) {
    std::vector<std::pair<double, double>> points;
    for (const Measurement& row : setting.tables.iterative)
        if (row.criterion == criterion && row.seed == seed)
            points.emplace_back(row.parameters, finite_value(row, metric));
    return points;
}

/// The seeds with a curve for both criteria and the range of sizes that all these curves cover.
struct SharedRange {
    std::set<int64_t> seeds;
    double low = 0, high = std::numeric_limits<double>::infinity();
};

SharedRange shared_range(const ClaimSetting& setting) {
    SharedRange range;
    const auto metric = setting.tables.primary_metrics().front().name;  // any: sizes are the same for all
    for (const int64_t seed : seeds_of(setting.tables.iterative)) {
        const auto first = points_of(setting, setting.first, seed, metric);
        const auto second = points_of(setting, setting.second, seed, metric);
        if (first.empty() || second.empty()) continue;
        range.seeds.insert(seed);
        for (const SizeCurve& curve : {SizeCurve(first), SizeCurve(second)}) {
            range.low = std::max(range.low, curve.smallest());
            range.high = std::min(range.high, curve.largest());
        }
    }
    return range;
}

std::vector<const Measurement*> networks_within(const ClaimSetting& setting, const SharedRange& range) {
    std::vector<const Measurement*> networks;
    for (const Measurement& row : setting.tables.iterative)
        if ((row.criterion == setting.first || row.criterion == setting.second) &&
            range.seeds.contains(row.seed) && row.parameters >= range.low && row.parameters <= range.high)
            networks.push_back(&row);
    return networks;
}

}  // namespace

Claim judge_iterative_pruning(const ClaimSetting& setting) {
    Claim claim = describe_iterative_pruning(setting);
    const SharedRange range = shared_range(setting);
    const bool usable = !range.seeds.empty() && range.low < range.high;
    const std::vector<double> sizes =
        usable ? logarithmic_grid(range.low, range.high, kGridSizes) : std::vector<double>();
    const SeedDifference mean_over_sizes = [&](int64_t seed,
                                               const std::string& metric) -> std::optional<double> {
        if (sizes.empty() || !range.seeds.contains(seed)) return std::nullopt;
        const SizeCurve first(points_of(setting, setting.first, seed, metric));
        const SizeCurve second(points_of(setting, setting.second, seed, metric));
        double sum = 0;
        for (const double size : sizes) sum += first.at(size) - second.at(size);
        return sum / static_cast<double>(sizes.size());
    };
    judge(claim, setting, seeds_of(setting.tables.iterative), Assertion::not_worse, mean_over_sizes,
          {fmt::format("While pruning, {} is not worse than {} by the margin set beforehand on any task.",
                       criterion_label(setting.first), criterion_label(setting.second)),
           fmt::format("While pruning, {} is worse than {} by more than the margin set beforehand on",
                       criterion_label(setting.first), criterion_label(setting.second))});
    note_blind_networks(claim, setting, networks_within(setting, range));
    claim.notes.emplace_back(usable ? fmt::format("Sizes from {} down to {} parameters.",
                                                  show_count(range.high), show_count(range.low))
                                    : fmt::format("The two criteria's curves share no range of sizes."));
    return claim;
}

}  // namespace mtlprune
