// What metrics are called and mean, and their values pooled over a split.
#pragma once

#include <torch/types.h>

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "datasets/contract/batch.h"
#include "datasets/contract/task.h"
#include "training/fidelity.h"

namespace mtlprune {

/// Everything that tables, reports and figures say about a metric, written once, by its kind of task.
struct MetricInfo {
    std::string name;        ///< column of tables, e.g. "pixel_accuracy"
    std::string task = {};   ///< the task's name
    std::string label;       ///< for readers, e.g. "Pixel accuracy"
    std::string definition;  ///< one sentence
    bool higher_is_better = false;
    std::string unit = {};          ///< of the value: "%", "m", "degrees" or ""
    double display_scale = 1.0;     ///< displayed value = value * display_scale
    std::string display_unit = {};  ///< of the displayed value, e.g. "%"
    bool primary = false;           ///< the one that claims and the main figures use
    /// Of a displayed difference: "percentage points" where values are displayed in %.
    std::string difference_unit() const;
};

struct Metric : MetricInfo {
    double value;
};

/// Accumulates one task's metrics over batches. Predictions are nearest-upsampled to the target's size.
/// as_released: pixel accuracy and errors are per-batch means weighted by batch size; miou averages over
/// classes with a true positive; negative depth predictions give a negative ratio and count as correct in
/// delta. corrected: pooled over valid pixels of the split; miou averages over classes present in the ground
/// truth or the prediction; predictions are clamped to >= 1e-6 m for the delta ratios.
class TaskMetrics {
  public:
    explicit TaskMetrics(TaskSpec task) : task_(std::move(task)) {}
    virtual ~TaskMetrics() = default;
    virtual void add(const torch::Tensor& prediction, const Target& target) = 0;
    /// Of everything added so far, in the order of TaskType::metrics(); NaN where nothing was measured.
    virtual std::vector<double> values() const = 0;
    /// The same with what the metrics are, under their plain names.
    std::vector<Metric> result() const;

  protected:
    const TaskSpec& task() const { return task_; }

  private:
    TaskSpec task_;
};

std::unique_ptr<TaskMetrics> make_task_metrics(const TaskSpec& task, Fidelity fidelity = Fidelity::corrected);

/// The metrics of a list of tasks, in task order, under names that differ: the plain one where only one task
/// has it, otherwise (several tasks of a kind, the absolute errors of depth and edges) with the task's name
/// before it, "materials.pixel_accuracy". Throws Error for two tasks of the same name.
std::vector<MetricInfo> metric_definitions(const std::vector<TaskSpec>& tasks);

/// A list of {"name", "task", "label", "definition", "higher_is_better", "unit", "display_scale",
/// "display_unit", "difference_unit", "primary"}, for programs that draw or tabulate results.
nlohmann::json metrics_json(const std::vector<MetricInfo>& metrics);

/// Reads that list. Throws Error naming `place` on another form.
std::vector<MetricInfo> metrics_from_json(const nlohmann::json& json, const std::string& place);

}  // namespace mtlprune
