// The 12 NYUv2 metrics of the main paper (and their direction) and those of other tasks, pooled over a split.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string>
#include <vector>

#include "datasets/contract/batch.h"
#include "datasets/contract/task.h"
#include "training/losses.h"

namespace mtlprune {

struct Metric {
    std::string name;  ///< e.g. "pixel_accuracy"
    std::string task;  ///< the task's name
    bool higher_is_better;
    std::string unit;        ///< "%", "m", "degrees" or ""
    std::string definition;  ///< one sentence
    double value;
};

/// Accumulates one task's metrics over batches. Predictions are nearest-upsampled to the target's size.
/// segmentation: pixel_accuracy (fraction), miou (fraction); normals: angle_mean, angle_median (degrees),
/// within_11_25, within_22_5, within_30 (percent); depth: abs_err (m), rel_err, delta1, delta2, delta3
/// (percent); keypoints, edges: abs_err; classification: accuracy (fraction). as_released: pixel accuracy,
/// abs_err, rel_err are per-batch means weighted by batch size; miou averages over classes with a true
/// positive; negative depth predictions give a negative ratio and count as correct in delta. corrected:
/// pooled over valid pixels of the split; miou averages over classes present in the ground truth or the
/// prediction; predictions are clamped to >= 1e-6 m for the delta ratios.
class TaskMetrics {
  public:
    virtual ~TaskMetrics() = default;
    virtual void add(const torch::Tensor& prediction, const Target& target) = 0;
    /// The metrics of everything added so far, in the order above.
    virtual std::vector<Metric> result() const = 0;
};

std::unique_ptr<TaskMetrics> make_task_metrics(const TaskSpec& task, Fidelity fidelity = Fidelity::corrected);

/// All metrics with names, directions and definitions for a list of tasks (values are NaN).
std::vector<Metric> metric_definitions(const std::vector<TaskSpec>& tasks);

}  // namespace mtlprune
