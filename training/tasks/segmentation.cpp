// One class per pixel: cross entropy, pixel accuracy and mean intersection over union.
#include <fmt/format.h>
#include <torch/utils.h>

#include "base/error.h"
#include "training/tasks/class_shares.h"
#include "training/tasks/pixel_targets.h"
#include "training/tasks/tasks.h"

namespace mtlprune {
namespace {

constexpr int64_t kIgnoredPixel = -100;

/// Both metrics from one confusion matrix.
class SegmentationMetrics : public TaskMetrics {
  public:
    SegmentationMetrics(const TaskSpec& task, Fidelity fidelity)
        : TaskMetrics(task),
          fidelity_(fidelity),
          accuracy_(fidelity),
          confusion_(torch::zeros({task.channels, task.channels}, torch::kInt64)) {}

    void add(const torch::Tensor& prediction, const Target& target) override {
        torch::NoGradGuard no_grad;
        require_pixel_shapes("metrics", task(), prediction, target, /*classes=*/true);
        const auto batch = batch_confusion(prediction, target);
        accuracy_.add(batch.trace().item<double>(), batch.sum().item<double>(), prediction.size(0));
        confusion_ += batch;
    }

    std::vector<double> values() const override { return {accuracy_.value(), mean_iou()}; }

  private:
    /// int64 [C,C] on the CPU: rows are the ground truth, columns the prediction. Labels outside 0..C-1 are
    /// ignored.
    torch::Tensor batch_confusion(const torch::Tensor& prediction, const Target& target) const {
        const int64_t classes = task().channels;
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

    Fidelity fidelity_;
    PixelMean accuracy_;
    torch::Tensor confusion_;
};

/// Weight of each pixel's class [B,1,h,w].
torch::Tensor pixel_weights(const TaskSpec& task, const torch::Tensor& labels, const torch::Tensor& mask,
                            const torch::TensorOptions& options) {
    if (static_cast<int64_t>(task.class_weights.size()) != task.channels)
        throw Error("loss", task.name, fmt::format("{} class weights", task.channels),
                    std::to_string(task.class_weights.size()));
    const auto weights = torch::tensor(task.class_weights, torch::kDouble).to(options);
    return weights.index({labels.masked_fill(~mask, 0)});
}

class SegmentationTask : public TaskType {
  public:
    TaskKind kind() const override { return TaskKind::segmentation; }

    std::vector<MetricInfo> metrics(const TaskSpec&) const override {
        return {
            {.name = "pixel_accuracy",
             .label = "Pixel accuracy",
             .definition = "Fraction of the labelled pixels whose class is predicted.",
             .higher_is_better = true,
             .display_scale = 100,
             .display_unit = "%",
             .primary = true},
            {.name = "miou",
             .label = "Mean IoU",
             .definition = "Mean over classes of intersection over union of predicted and labelled pixels.",
             .higher_is_better = true,
             .display_scale = 100,
             .display_unit = "%"}};
    }

    /// Cross entropy, mean over valid pixels (weighted by the task's class_weights, if any).
    torch::Tensor loss(const TaskSpec& task, const torch::Tensor& prediction, const Target& target,
                       Fidelity fidelity) const override {
        require_pixel_shapes("loss", task, prediction, target, /*classes=*/true);
        const int64_t height = prediction.size(2), width = prediction.size(3);
        const auto mask = nearest_resize(target.mask, height, width);
        const auto labels = nearest_resize(target.value.unsqueeze(1), height, width);
        const auto losses = at::cross_entropy_loss(at_least_float(prediction),
                                                   labels.masked_fill(~mask, kIgnoredPixel).squeeze(1),
                                                   /*weight=*/{}, at::Reduction::None, kIgnoredPixel)
                                .unsqueeze(1);
        if (task.class_weights.empty()) return mean_where(mask, losses, fidelity);
        return weighted_mean_where(mask, losses, pixel_weights(task, labels, mask, losses.options()),
                                   fidelity);
    }

    std::unique_ptr<TaskMetrics> make_metrics(const TaskSpec& task, Fidelity fidelity) const override {
        return std::make_unique<SegmentationMetrics>(task, fidelity);
    }

    torch::Tensor constant(const TaskSpec& task, const std::vector<Target>& train) const override {
        return class_shares(task, train);
    }

    /// Shares of the classes at each position.
    torch::Tensor by_position(const TaskSpec& task, const std::vector<Target>& train) const override {
        require_one_size(task, train);
        const int64_t height = train[0].mask.size(2), width = train[0].mask.size(3);
        const auto counts = torch::zeros({task.channels + 1, height, width}, torch::kDouble);
        for (const auto& target : train) {
            const auto classes = target.value.masked_fill(~target.mask.squeeze(1), task.channels);
            counts.scatter_add_(0, classes, torch::ones_like(classes, torch::kDouble));
        }
        const auto valid = counts.narrow(0, 0, task.channels).unsqueeze(0);
        const auto total = valid.sum(1, /*keepdim=*/true);
        return or_constant(valid / total, total > 0, constant(task, train));
    }
};

}  // namespace

const TaskType& segmentation_task() {
    static const SegmentationTask task;
    return task;
}

}  // namespace mtlprune
