// C1: re-trained architectures of the two criteria are equivalent at similar size.
#include <fmt/format.h>

#include <algorithm>

#include "reproduce/analysis/claim_setting.h"

namespace mtlprune {
namespace {

constexpr double kSimilarSize = 1.1;

double mean_parameters(const std::vector<Measurement>& rows, const std::string& criterion,
                       int64_t configuration) {
    double sum = 0;
    int64_t count = 0;
    for (const Measurement& row : rows) {
        if (row.criterion != criterion || row.configuration != configuration) continue;
        sum += row.parameters;
        ++count;
    }
    return sum / static_cast<double>(count);
}

void note_unequal_sizes(Claim& claim, const ClaimSetting& setting, int64_t configuration) {
    const double first = mean_parameters(setting.tables.retrained, setting.first, configuration);
    const double second = mean_parameters(setting.tables.retrained, setting.second, configuration);
    const double ratio = std::max(first, second) / std::min(first, second);
    if (ratio > kSimilarSize)
        claim.notes.push_back(
            fmt::format("Configuration {}: the sizes differ by {:.0f} % ({} {} and {} {} parameters).",
                        configuration, 100 * (ratio - 1), criterion_label(setting.first), show_count(first),
                        criterion_label(setting.second), show_count(second)));
}

Claim describe_equivalence(const ClaimSetting& setting) {
    const std::string first = criterion_label(setting.first), second = criterion_label(setting.second);
    Claim claim;
    claim.id = "C1";
    claim.title = "Re-trained from scratch, both criteria's architectures are equally good";
    claim.statement = fmt::format(
        "At similar size, architectures found by {0} and {1} and trained from scratch are equivalent on "
        "every task. "
        "Difference: {0} minus {1}, averaged over the pruned configurations within each seed.",
        first, second);
    claim.rule =
        "Paired equivalence test (two one-sided t-tests) per task, Holm over tasks. Supported: every task "
        "lies within "
        "its margin. Refuted: the difference on some task lies beyond its margin.";
    return claim;
}

}  // namespace

Claim judge_equivalence(const ClaimSetting& setting) {
    Claim claim = describe_equivalence(setting);
    const MeasurementIndex index(setting.tables.retrained, &Measurement::configuration);
    std::set<int64_t> pruned = retrained_configurations(setting);
    pruned.erase(0);
    const auto at = [&](int64_t seed, int64_t configuration,
                        const std::string& metric) -> std::optional<double> {
        const Measurement* a = index.find(setting.first, seed, configuration);
        const Measurement* b = index.find(setting.second, seed, configuration);
        if (!a || !b) return std::nullopt;
        return finite_value(*a, metric) - finite_value(*b, metric);
    };
    const SeedDifference mean_over_sizes = [&](int64_t seed,
                                               const std::string& metric) -> std::optional<double> {
        if (pruned.empty()) return std::nullopt;
        double sum = 0;
        for (const int64_t configuration : pruned) {
            const auto difference = at(seed, configuration, metric);
            if (!difference) return std::nullopt;
            sum += *difference;
        }
        return sum / static_cast<double>(pruned.size());
    };
    const std::set<int64_t> seeds = seeds_of(setting.tables.retrained);
    judge(claim, setting, seeds, Assertion::equivalent, mean_over_sizes,
          {"On all tasks the difference between the two criteria's re-trained architectures is smaller "
           "than the "
           "margin set beforehand.",
           "The two criteria's re-trained architectures differ by more than the margin set beforehand on"});
    note_blind_networks(claim, setting, retrained_at(setting, pruned));
    for (const int64_t configuration : pruned) {
        note_unequal_sizes(claim, setting, configuration);
        const double size = mean_parameters(setting.tables.retrained, setting.first, configuration);
        claim.details.push_back(
            {fmt::format("configuration {} ({} parameters)", configuration, show_count(size)),
             find_over_seeds(
                 setting, seeds, Assertion::equivalent,
                 [&](int64_t seed, const std::string& metric) { return at(seed, configuration, metric); })});
    }
    note_shared_architectures(claim, setting);
    return claim;
}

}  // namespace mtlprune
