// C2: at extreme pruning, re-training from scratch beats iterative pruning.
#include "reproduce/analysis/claim_setting.h"

namespace mtlprune {
namespace {

Claim describe() {
    Claim claim;
    claim.id = "C2";
    claim.title = "At extreme pruning, training from scratch beats iterative pruning";
    claim.statement =
        "At the smallest configuration, the architecture trained from scratch does better on every task than "
        "the "
        "iteratively pruned network of the same event. Difference: re-trained minus iteratively pruned, mean "
        "of the "
        "two criteria within each seed.";
    claim.rule =
        "One-sided paired t-test per task, Holm over tasks. Supported: better on every task. Refuted: worse "
        "on some "
        "task.";
    return claim;
}

}  // namespace

Claim judge_retraining(const ClaimSetting& setting) {
    Claim claim = describe();
    const std::set<int64_t> configurations = retrained_configurations(setting);
    const int64_t smallest = configurations.empty() ? 0 : *configurations.rbegin();
    const MeasurementIndex retrained(setting.tables.retrained, &Measurement::configuration);
    const MeasurementIndex iterative(setting.tables.iterative, &Measurement::event);
    const auto of_criterion = [&](const std::string& criterion, int64_t seed,
                                  const std::string& metric) -> std::optional<double> {
        const Measurement* scratch = smallest > 0 ? retrained.find(criterion, seed, smallest) : nullptr;
        const Measurement* pruned = scratch ? iterative.find(criterion, seed, scratch->event) : nullptr;
        if (!pruned) return std::nullopt;
        return finite_value(*scratch, metric) - finite_value(*pruned, metric);
    };
    const SeedDifference mean_of_criteria = [&](int64_t seed,
                                                const std::string& metric) -> std::optional<double> {
        const auto first = of_criterion(setting.first, seed, metric);
        const auto second = of_criterion(setting.second, seed, metric);
        if (!first || !second) return std::nullopt;
        return 0.5 * (*first + *second);
    };
    const std::set<int64_t> seeds = seeds_of(setting.tables.retrained);
    judge(claim, setting, seeds, Assertion::better, mean_of_criteria,
          {"At the smallest size, training from scratch does better than iterative pruning on all tasks.",
           "At the smallest size, training from scratch does worse than iterative pruning on"});
    auto compared = retrained_at(setting, {smallest});
    for (size_t i = 0, scratch = compared.size(); i < scratch; ++i)
        if (const auto* pruned =
                iterative.find(compared[i]->criterion, compared[i]->seed, compared[i]->event))
            compared.push_back(pruned);
    note_blind_networks(claim, setting, compared);
    for (const std::string& criterion : {setting.second, setting.first})
        claim.details.push_back(
            {criterion_label(criterion),
             find_over_seeds(setting, seeds, Assertion::better, [&](int64_t seed, const std::string& metric) {
                 return of_criterion(criterion, seed, metric);
             })});
    note_shared_architectures(claim, setting);
    return claim;
}

}  // namespace mtlprune
