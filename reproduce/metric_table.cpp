#include "reproduce/metric_table.h"

namespace mtlprune {

const std::vector<ReportedMetric>& reported_metrics() {
    static const std::vector<ReportedMetric> metrics = {
        {"pixel_accuracy", "segmentation", "Pixel accuracy", "%", "percentage points", 100, true, true},
        {"miou", "segmentation", "Mean IoU", "%", "percentage points", 100, true, false},
        {"angle_mean", "normals", "Mean angle", "°", "°", 1, false, true},
        {"angle_median", "normals", "Median angle", "°", "°", 1, false, false},
        {"within_11_25", "normals", "Within 11.25°", "%", "percentage points", 1, true, false},
        {"within_22_5", "normals", "Within 22.5°", "%", "percentage points", 1, true, false},
        {"within_30", "normals", "Within 30°", "%", "percentage points", 1, true, false},
        {"abs_err", "depth", "Absolute error", "m", "m", 1, false, false},
        {"rel_err", "depth", "Relative error", "", "", 1, false, true},
        {"delta1", "depth", "δ < 1.25", "%", "percentage points", 1, true, false},
        {"delta2", "depth", "δ < 1.25²", "%", "percentage points", 1, true, false},
        {"delta3", "depth", "δ < 1.25³", "%", "percentage points", 1, true, false},
    };
    return metrics;
}

std::vector<ReportedMetric> primary_metrics() {
    std::vector<ReportedMetric> primary;
    for (const ReportedMetric& metric : reported_metrics())
        if (metric.primary) primary.push_back(metric);
    return primary;
}

const std::vector<std::string>& loss_columns() {
    static const std::vector<std::string> names = {"loss_segmentation", "loss_normals", "loss_depth"};
    return names;
}

}  // namespace mtlprune
