// Keypoints and edges: absolute errors of a strength.
#include <torch/utils.h>

#include "training/tasks/pixel_targets.h"
#include "training/tasks/scalar_maps.h"
#include "training/tasks/tasks.h"

namespace mtlprune {
namespace {

class StrengthMetrics : public TaskMetrics {
  public:
    StrengthMetrics(const TaskSpec& task, Fidelity fidelity) : TaskMetrics(task), absolute_(fidelity) {}

    void add(const torch::Tensor& prediction, const Target& target) override {
        torch::NoGradGuard no_grad;
        require_pixel_shapes("metrics", task(), prediction, target, /*classes=*/false);
        const auto error = (upsampled(prediction, target) - target.value).abs_();
        const auto host =
            torch::stack({target.mask.sum().to(torch::kFloat64), masked_sum(error, target.mask)}).cpu();
        absolute_.add(host[1].item<double>(), host[0].item<double>(), prediction.size(0));
    }

    std::vector<double> values() const override { return {absolute_.value()}; }

  private:
    PixelMean absolute_;
};

class StrengthTask : public ScalarMapTask {
  public:
    explicit StrengthTask(TaskKind kind) : kind_(kind) {}
    TaskKind kind() const override { return kind_; }

    std::vector<MetricInfo> metrics(const TaskSpec&) const override {
        return {{.name = "abs_err",
                 .label = "Absolute error",
                 .definition = "Mean of |predicted - true|.",
                 .primary = true}};
    }

    std::unique_ptr<TaskMetrics> make_metrics(const TaskSpec& task, Fidelity fidelity) const override {
        return std::make_unique<StrengthMetrics>(task, fidelity);
    }

  private:
    TaskKind kind_;
};

}  // namespace

const TaskType& keypoints_task() {
    static const StrengthTask task(TaskKind::keypoints);
    return task;
}

const TaskType& edges_task() {
    static const StrengthTask task(TaskKind::edges);
    return task;
}

}  // namespace mtlprune
