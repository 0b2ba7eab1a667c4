// The accumulators behind make_task_metrics, one file per kind of task.
#pragma once

#include <limits>
#include <memory>
#include <vector>

#include "training/metrics.h"

namespace mtlprune {

/// The value of a metric of which nothing was measured.
inline constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

// The metrics of one kind of task; values are NaN.
std::vector<Metric> segmentation_definitions(const TaskSpec& task);
std::vector<Metric> normals_definitions(const TaskSpec& task);
std::vector<Metric> depth_definitions(const TaskSpec& task);
/// Keypoints and edges.
std::vector<Metric> absolute_error_definitions(const TaskSpec& task);
std::vector<Metric> classification_definitions(const TaskSpec& task);

std::unique_ptr<TaskMetrics> make_segmentation_metrics(const TaskSpec& task, Fidelity fidelity);
std::unique_ptr<TaskMetrics> make_normals_metrics(const TaskSpec& task);
std::unique_ptr<TaskMetrics> make_depth_metrics(const TaskSpec& task, Fidelity fidelity);
std::unique_ptr<TaskMetrics> make_absolute_error_metrics(const TaskSpec& task, Fidelity fidelity);
std::unique_ptr<TaskMetrics> make_classification_metrics(const TaskSpec& task);

/// Throws Error naming the task unless prediction is [B,channels,h,w] and the target's value and mask fit its
/// batch size, `channels` (segmentation: [B,H,W]) and each other.
void require_metric_shapes(const TaskSpec& task, const torch::Tensor& prediction, const Target& target);

/// The mean of a quantity over pixels, from per-batch sums. corrected: pooled over all pixels. as_released:
/// the batches' means, weighted by their number of images (NaN after a batch without a valid pixel).
class PixelMean {
  public:
    explicit PixelMean(Fidelity fidelity) : fidelity_(fidelity) {}
    void add(double sum, double pixels, int64_t images) {
        const bool pooled = fidelity_ == Fidelity::corrected;
        sum_ += pooled ? sum : sum / pixels * static_cast<double>(images);
        weight_ += pooled ? pixels : static_cast<double>(images);
    }
    /// NaN when nothing was added.
    double value() const { return sum_ / weight_; }

  private:
    Fidelity fidelity_;
    double sum_ = 0.0;
    double weight_ = 0.0;
};

}  // namespace mtlprune
