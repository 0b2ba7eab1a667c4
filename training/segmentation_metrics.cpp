// Pixel accuracy and mean intersection over union from one confusion matrix.
#include <torch/utils.h>

#include <limits>

#include "training/metrics_by_task.h"

namespace mtlprune {
namespace {

class SegmentationMetrics : public TaskMetrics {
  public:
    SegmentationMetrics(const TaskSpec& task, Fidelity fidelity)
        : task_(task),
          fidelity_(fidelity),
          accuracy_(fidelity),
          confusion_(torch::zeros({task.channels, task.channels}, torch::kInt64)) {}

    void add(const torch::Tensor& prediction, const Target& target) override {
        torch::NoGradGuard no_grad;
        require_metric_shapes(task_, prediction, target);
        const auto batch = batch_confusion(prediction, target);
        accuracy_.add(batch.trace().item<double>(), batch.sum().item<double>(), prediction.size(0));
        confusion_ += batch;
    }

    std::vector<Metric> result() const override {
        auto metrics = segmentation_definitions(task_);
        metrics[0].value = accuracy_.value();
        metrics[1].value = mean_iou();
        return metrics;
    }

  private:
    /// int64 [C,C] on the CPU: rows are the ground truth, columns the prediction. Labels outside 0..C-1 are
    /// ignored.
    torch::Tensor batch_confusion(const torch::Tensor& prediction, const Target& target) const {
        const int64_t classes = task_.channels;
        const auto& labels = target.value;
        const auto predicted = nearest_resize(prediction.argmax(1), labels.size(1), labels.size(2));
        const auto valid = target.mask.squeeze(1).logical_and(labels >= 0).logical_and_(labels < classes);
        // Invalid pixels are counted in one cell more, so that nothing has a size that depends on the data.
        const auto cell =
            (labels * classes).add_(predicted).masked_fill_(~valid, classes * classes).flatten();
        const auto counts = labels.is_cuda() ? torch::zeros({classes * classes + 1}, cell.options())
                                                   .scatter_add_(0, cell, torch::ones_like(cell))
                                             : torch::bincount(cell, /*weights=*/{}, classes * classes + 1);
        return counts.narrow(0, 0, classes * classes).view({classes, classes}).cpu();
    }

    double mean_iou() const {
        const auto matrix = confusion_.to(torch::kFloat64);
        const auto hits = matrix.diagonal();
        const auto either = matrix.sum(0) + matrix.sum(1) - hits;
        const auto counted = fidelity_ == Fidelity::corrected ? either > 0 : hits > 0;
        const auto iou = hits / either;
        const auto total = torch::where(counted, iou, torch::zeros_like(iou)).sum();
        return (total / counted.sum()).item<double>();
    }

    TaskSpec task_;
    Fidelity fidelity_;
    PixelMean accuracy_;
    torch::Tensor confusion_;
};

}  // namespace

std::vector<Metric> segmentation_definitions(const TaskSpec& task) {
    return {{"pixel_accuracy", task.name, true, "",
             "Fraction of the labelled pixels whose class is predicted.", kUnknown},
            {"miou", task.name, true, "",
             "Mean over classes of intersection over union of predicted and labelled pixels.", kUnknown}};
}

std::unique_ptr<TaskMetrics> make_segmentation_metrics(const TaskSpec& task, Fidelity fidelity) {
    return std::make_unique<SegmentationMetrics>(task, fidelity);
}

}  // namespace mtlprune
