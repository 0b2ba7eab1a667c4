#include "reproduce/analysis/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace mtlprune {
namespace {

constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();

/// Differences that agree to rounding: their seeds cannot be independent, and t would be infinite.
bool without_spread(const Summary& sample) {
    return !(sample.sd > 1e-12 * std::max(std::fabs(sample.mean), 1e-12));
}

void test_equivalent(const TaskDifferences& task, TaskFinding& finding) {
    finding.p = equivalence_test(task.values, task.margin).p;
    const double above = t_test(task.values, Alternative::greater, task.margin).p;
    const double below = t_test(task.values, Alternative::less, -task.margin).p;
    finding.p_against = std::min(1.0, 2 * std::min(above, below));
    std::vector<double> from_low = task.values, from_high = task.values;
    for (double& value : from_low) value += task.margin;
    for (double& value : from_high) value -= task.margin;
    finding.wilcoxon_p = std::max(wilcoxon_signed_rank_p(from_low, Alternative::greater),
                                  wilcoxon_signed_rank_p(from_high, Alternative::less));
}

void test_one_sided(const TaskDifferences& task, double margin, TaskFinding& finding) {
    std::vector<double> benefits = task.values;
    if (!task.metric.higher_is_better)
        for (double& value : benefits) value = -value;
    finding.p = t_test(benefits, Alternative::greater, -margin).p;
    finding.p_against = t_test(benefits, Alternative::less, -margin).p;
    for (double& value : benefits) value += margin;
    finding.wilcoxon_p = wilcoxon_signed_rank_p(benefits, Alternative::greater);
}

std::string show_interval(const TaskFinding& finding, double alpha) {
    const double scale = finding.metric.display_scale;
    return fmt::format("{:.0f} % CI {:+.3g} to {:+.3g}", 100 * (1 - 2 * alpha), finding.interval.low * scale,
                       finding.interval.high * scale);
}

/// By the adjusted p values where there are any.
std::string conclusion(const TaskFinding& finding, Assertion assertion, double alpha) {
    const bool adjusted = !std::isnan(finding.p_holm);
    const bool supports = (adjusted ? finding.p_holm : finding.p) < alpha;
    const bool against = (adjusted ? finding.p_against_holm : finding.p_against) < alpha;
    switch (assertion) {
        case Assertion::equivalent:
            if (supports) return "equivalent within the margin";
            return against ? "not equivalent, beyond the margin"
                           : "neither equivalence nor a difference beyond the margin is shown";
        case Assertion::better:
            if (supports) return "better";
            return against ? "worse" : "no difference is shown, which is not evidence of equality";
        case Assertion::not_worse:
            if (supports) return "not worse by the margin";
            return against ? "worse by more than the margin" : "neither 'not worse' nor 'worse' is shown";
    }
    return "";
}

std::string read_out(const TaskFinding& finding, Assertion assertion, double alpha) {
    const std::string difference = fmt::format("{} differs by {}", finding.metric.label,
                                               show_difference(finding.metric, finding.difference));
    if (finding.n < 2) return fmt::format("{} in the only seed: nothing can be tested.", difference);
    if (std::isnan(finding.d_z))
        return fmt::format("{} in every seed: without spread nothing can be tested.", difference);
    return fmt::format("{} ({}): {}.", difference, show_interval(finding, alpha),
                       conclusion(finding, assertion, alpha));
}

}  // namespace

std::string verdict_label(Verdict verdict) {
    switch (verdict) {
        case Verdict::supported:
            return "supported";
        case Verdict::refuted:
            return "refuted";
        case Verdict::not_decided:
            return "not decided";
    }
    return "";
}

std::string verdict_class(Verdict verdict) {
    return verdict == Verdict::not_decided ? "undecided" : verdict_label(verdict);
}

std::string show_difference(const MetricInfo& metric, double difference) {
    const std::string space = metric.difference_unit().empty() || metric.difference_unit() == "°" ? "" : " ";
    return fmt::format("{:+.3g}{}{}", difference * metric.display_scale, space, metric.difference_unit());
}

TaskFinding find_for_task(const TaskDifferences& task, Assertion assertion, double alpha) {
    TaskFinding finding;
    finding.metric = task.metric;
    finding.margin = assertion == Assertion::better ? kNoNumber : task.margin;
    finding.p_holm = finding.p_against_holm = kNoNumber;
    finding.interval = {kNoNumber, kNoNumber};
    const Summary sample = summarize(task.values);
    finding.n = sample.n;
    finding.difference = sample.mean;
    finding.sd = sample.sd;
    finding.d_z = finding.hedges_g = kNoNumber;
    if (sample.n > 1 && !without_spread(sample)) {
        finding.interval = t_interval(task.values, 1 - 2 * alpha);
        finding.d_z = cohen_dz(task.values);
        finding.hedges_g = finding.d_z * hedges_factor(static_cast<double>(sample.n - 1));
        if (assertion == Assertion::equivalent)
            test_equivalent(task, finding);
        else
            test_one_sided(task, assertion == Assertion::better ? 0 : task.margin, finding);
    }
    finding.reading = read_out(finding, assertion, alpha);
    return finding;
}

void adjust_over_tasks(std::vector<TaskFinding>& findings, Assertion assertion, double alpha) {
    std::vector<double> support, against;
    for (const TaskFinding& finding : findings) {
        support.push_back(finding.p);
        against.push_back(finding.p_against);
    }
    support = holm_adjusted(support);
    against = holm_adjusted(against);
    for (size_t i = 0; i < findings.size(); ++i) {
        findings[i].p_holm = support[i];
        findings[i].p_against_holm = against[i];
        findings[i].reading = read_out(findings[i], assertion, alpha);
    }
}

Verdict decide(const std::vector<TaskFinding>& findings, double alpha) {
    if (findings.empty()) return Verdict::not_decided;
    const auto supports = [&](const TaskFinding& finding) { return finding.p_holm < alpha; };
    const auto refutes = [&](const TaskFinding& finding) { return finding.p_against_holm < alpha; };
    if (std::all_of(findings.begin(), findings.end(), supports)) return Verdict::supported;
    if (std::any_of(findings.begin(), findings.end(), refutes)) return Verdict::refuted;
    return Verdict::not_decided;
}

}  // namespace mtlprune
