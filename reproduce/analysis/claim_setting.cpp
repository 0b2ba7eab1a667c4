#include "reproduce/analysis/claim_setting.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "reproduce/analysis/blind_networks.h"

namespace mtlprune {
namespace {

double margin_of(const ClaimSetting& setting, const MetricInfo& metric) {
    const double margin = setting.margins.at(metric.name);
    return is_fraction(metric) ? margin : margin * setting.tables.dense_mean(metric.name);
}

template <typename Condition>
std::string tasks_where(const Claim& claim, Condition condition) {
    std::string names;
    for (const TaskFinding& finding : claim.findings)
        if (condition(finding)) names += (names.empty() ? "" : ", ") + finding.metric.task;
    return names;
}

/// What the dense networks have over the better prediction that ignores the image, in the metric's better
/// direction; NaN where no such prediction is known.
double learned_by_dense(const ClaimSetting& setting, const MetricInfo& metric) {
    const double gain = setting.tables.dense_mean(metric.name) - setting.tables.blind_value(metric);
    return metric.higher_is_better ? gain : -gain;
}

/// A margin wider than half of what separates the dense networks from a prediction that ignores the image
/// forgives nearly everything.
void note_wide_margins(Claim& claim, const ClaimSetting& setting) {
    std::string names;
    for (const TaskFinding& finding : claim.findings) {
        const MetricInfo& metric = finding.metric;
        const double learned = learned_by_dense(setting, metric);
        if (!(finding.margin > 0.5 * learned)) continue;
        names += (names.empty() ? "" : ", ") + metric.task;
        const auto against =
            learned > 0 ? fmt::format(
                              "is wide against the {:.3g} that separate the dense networks from the "
                              "best prediction that ignores the image",
                              learned * metric.display_scale)
                        : "forgives everything: the dense networks do no better than the best prediction "
                          "that ignores the image";
        claim.notes.push_back(fmt::format("{}: the margin of {:.3g} {}; lying within it says little.",
                                          metric.label, finding.margin * metric.display_scale, against));
    }
    if (!names.empty())
        claim.reading += fmt::format(
            " The margin says little, being wide against what the dense network learns, for: {}.", names);
}

std::string undecided_reading(const Claim& claim, double alpha) {
    if (claim.n < 2) return "One seed gives no measure of chance; at least two are needed.";
    const std::string open =
        tasks_where(claim, [&](const TaskFinding& finding) { return !(finding.p_holm < alpha); });
    return fmt::format(
        "{} seeds do not settle it; open: {}. That is evidence neither for nor against the claim.", claim.n,
        open);
}

/// The seed whose architectures all seeds re-train, in the template or in stages that are written out.
std::optional<int64_t> shared_architecture_seed(const nlohmann::json& run) {
    const auto experiment = run.value("experiment", nlohmann::json::object());
    const auto retrain = experiment.value("retrain", nlohmann::json::object());
    std::vector<nlohmann::json> seeds = {retrain.value("architecture_seed", nlohmann::json())};
    const auto stages = experiment.value("stages", nlohmann::json::object());
    for (const auto& [name, stage] : stages.items())
        seeds.push_back(stage.value("from_seed", nlohmann::json()));
    for (const auto& seed : seeds)
        if (seed.is_number_integer() && seed.get<int64_t>() >= 0) return seed.get<int64_t>();
    return std::nullopt;
}

}  // namespace

MeasurementIndex::MeasurementIndex(const std::vector<Measurement>& rows, int64_t Measurement::*key) {
    for (const Measurement& row : rows) rows_[{row.criterion, row.seed, row.*key}] = &row;
}

const Measurement* MeasurementIndex::find(const std::string& criterion, int64_t seed, int64_t key) const {
    const auto found = rows_.find({criterion, seed, key});
    return found == rows_.end() ? nullptr : found->second;
}

double finite_value(const Measurement& row, const std::string& metric) {
    const double value = row.value(metric);
    if (!std::isfinite(value))
        throw Error("claims",
                    fmt::format("{}, seed {}, event {}: {}", row.criterion, row.seed, row.event, metric),
                    "a finite number", fmt::format("{}", value));
    return value;
}

std::set<int64_t> seeds_of(const std::vector<Measurement>& rows) {
    std::set<int64_t> seeds;
    for (const Measurement& row : rows) seeds.insert(row.seed);
    return seeds;
}

std::set<int64_t> retrained_configurations(const ClaimSetting& setting) {
    std::map<int64_t, std::set<std::string>> criteria;
    for (const auto& row : setting.tables.retrained)
        if (row.criterion == setting.first || row.criterion == setting.second)
            criteria[row.configuration].insert(row.criterion);
    std::set<int64_t> configurations;
    for (const auto& [configuration, names] : criteria)
        if (names.size() == 2) configurations.insert(configuration);
    return configurations;
}

std::vector<const Measurement*> retrained_at(const ClaimSetting& setting,
                                             const std::set<int64_t>& configurations) {
    std::vector<const Measurement*> networks;
    for (const auto& row : setting.tables.retrained)
        if ((row.criterion == setting.first || row.criterion == setting.second) &&
            configurations.contains(row.configuration))
            networks.push_back(&row);
    return networks;
}

std::vector<TaskFinding> find_over_seeds(const ClaimSetting& setting, const std::set<int64_t>& seeds,
                                         Assertion assertion, const SeedDifference& difference) {
    std::vector<TaskFinding> findings;
    for (const MetricInfo& metric : setting.tables.primary_metrics()) {
        TaskDifferences task{metric, {}, margin_of(setting, metric)};
        for (const int64_t seed : seeds)
            if (const auto value = difference(seed, metric.name)) task.values.push_back(*value);
        if (!task.values.empty()) findings.push_back(find_for_task(task, assertion, setting.alpha));
    }
    return findings;
}

void judge(Claim& claim, const ClaimSetting& setting, const std::set<int64_t>& seeds, Assertion assertion,
           const SeedDifference& difference, const Readings& readings) {
    claim.alpha = setting.alpha;
    claim.findings = find_over_seeds(setting, seeds, assertion, difference);
    for (const int64_t seed : seeds)
        if (!difference(seed, setting.tables.primary_metrics().front().name))
            claim.notes.push_back(
                fmt::format("Seed {} lacks rows that this claim needs and was left out.", seed));
    if (claim.findings.empty()) {
        claim.reading = "No seed has all the rows this claim needs.";
        return;
    }
    claim.n = claim.findings.front().n;
    adjust_over_tasks(claim.findings, assertion, setting.alpha);
    claim.verdict = decide(claim.findings, setting.alpha);
    const auto against = [&](const TaskFinding& finding) { return finding.p_against_holm < setting.alpha; };
    switch (claim.verdict) {
        case Verdict::supported:
            claim.reading = readings.when_supported;
            break;
        case Verdict::refuted:
            claim.reading = fmt::format("{} {}.", readings.when_refuted, tasks_where(claim, against));
            break;
        case Verdict::not_decided:
            claim.reading = undecided_reading(claim, setting.alpha);
            break;
    }
    if (assertion != Assertion::better) note_wide_margins(claim, setting);
}

void note_blind_networks(Claim& claim, const ClaimSetting& setting,
                         const std::vector<const Measurement*>& compared) {
    std::string tasks;
    for (const TaskFinding& finding : claim.findings) {
        const MetricInfo& metric = finding.metric;
        const auto blind = std::count_if(compared.begin(), compared.end(), [&](const Measurement* network) {
            return no_better_than_blind(setting.tables, metric, network->value(metric.name));
        });
        if (blind == 0) continue;
        tasks +=
            fmt::format("{}{} ({} of {})", tasks.empty() ? "" : ", ", metric.task, blind, compared.size());
        claim.notes.push_back(fmt::format(
            "{}: {} of the {} networks compared do no better than the best prediction that ignores the image "
            "({:.4g}{}); what distinguishes them or not says little.",
            metric.label, blind, compared.size(), setting.tables.blind_value(metric) * metric.display_scale,
            metric.display_unit.empty() ? "" : " " + metric.display_unit));
    }
    if (!tasks.empty())
        claim.reading += fmt::format(
            " Networks that do no better than a prediction that ignores the image are among those compared: "
            "{}.",
            tasks);
}

void note_shared_architectures(Claim& claim, const ClaimSetting& setting) {
    const auto seed = shared_architecture_seed(setting.tables.run);
    if (seed)
        claim.notes.push_back(
            fmt::format("All seeds re-train the architectures that seed {} found: the spread covers "
                        "training, not pruning.",
                        *seed));
}

std::string show_count(double count) {
    if (count >= 1e9) return fmt::format("{:.3g} G", count / 1e9);
    if (count >= 999500) return fmt::format("{:.3g} M", count / 1e6);
    return count >= 999.5 ? fmt::format("{:.3g} k", count / 1e3) : fmt::format("{:.0f}", count);
}

}  // namespace mtlprune
