#include "reproduce/results/metric_table.h"

#include "training/metrics.h"

namespace mtlprune {
namespace {

/// Experiments have NYUv2's tasks; the number of classes does not matter here.
std::vector<TaskSpec> reported_tasks() {
    return nyuv2_tasks(40);
}

}  // namespace

const std::vector<ReportedMetric>& reported_metrics() {
    static const auto metrics = [] {
        std::vector<ReportedMetric> reported;
        for (const auto& metric : metric_definitions(reported_tasks()))
            reported.push_back({metric.name, metric.task, metric.label, metric.display_unit,
                                metric.difference_unit(), metric.display_scale, metric.higher_is_better,
                                metric.primary});
        return reported;
    }();
    return metrics;
}

std::vector<ReportedMetric> primary_metrics() {
    std::vector<ReportedMetric> primary;
    for (const ReportedMetric& metric : reported_metrics())
        if (metric.primary) primary.push_back(metric);
    return primary;
}

const std::vector<std::string>& loss_columns() {
    static const auto names = [] {
        std::vector<std::string> columns;
        for (const auto& task : reported_tasks()) columns.push_back("loss_" + task.name);
        return columns;
    }();
    return names;
}

}  // namespace mtlprune
