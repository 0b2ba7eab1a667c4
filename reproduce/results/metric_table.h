// How the reproduction reports the metrics of its tasks; what they are says training/metrics.h.
#pragma once

#include <string>
#include <vector>

namespace mtlprune {

struct ReportedMetric {
    std::string name;             ///< column of the result tables
    std::string task;             ///< segmentation, normals or depth
    std::string label;            ///< for readers, e.g. "Pixel accuracy"
    std::string unit;             ///< of the displayed value, e.g. "%"
    std::string difference_unit;  ///< of a displayed difference, e.g. "percentage points"
    double display_scale;         ///< displayed value = stored value * display_scale
    bool higher_is_better;
    bool primary;  ///< the task's metric in the claims and in Figures 1 and 3
};

/// The 12 metrics, in the order of the result tables.
const std::vector<ReportedMetric>& reported_metrics();

/// The three primary metrics: pixel_accuracy, angle_mean, rel_err.
std::vector<ReportedMetric> primary_metrics();

/// "loss_segmentation", "loss_normals", "loss_depth".
const std::vector<std::string>& loss_columns();

}  // namespace mtlprune
