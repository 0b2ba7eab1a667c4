// Accuracy of image classification.
#include <fmt/format.h>
#include <torch/utils.h>

#include <limits>

#include "base/error.h"
#include "training/metrics_by_task.h"

namespace mtlprune {
namespace {

class ClassificationMetrics : public TaskMetrics {
  public:
    explicit ClassificationMetrics(const TaskSpec& task) : task_(task) {}

    void add(const torch::Tensor& prediction, const Target& target) override {
        torch::NoGradGuard no_grad;
        const auto predicted = class_scores(task_, prediction).argmax(1);
        if (target.value.sizes() != predicted.sizes() || target.mask.sizes() != predicted.sizes())
            throw Error("metrics", task_.name, fmt::format("classes and a mask [{}]", predicted.size(0)),
                        fmt::format("{} and {} values", target.value.numel(), target.mask.numel()));
        const auto hits = predicted.eq(target.value).logical_and_(target.mask);
        const auto counts = torch::stack({hits.sum(), target.mask.sum()}).cpu();
        hits_ += counts[0].item<int64_t>();
        images_ += counts[1].item<int64_t>();
    }

    std::vector<Metric> result() const override {
        auto metrics = classification_definitions(task_);
        if (images_ > 0) metrics[0].value = static_cast<double>(hits_) / static_cast<double>(images_);
        return metrics;
    }

  private:
    TaskSpec task_;
    int64_t hits_ = 0;
    int64_t images_ = 0;
};

}  // namespace

std::vector<Metric> classification_definitions(const TaskSpec& task) {
    return {{"accuracy", task.name, true, "", "Fraction of the images with a class whose class is predicted.",
             std::numeric_limits<double>::quiet_NaN()}};
}

std::unique_ptr<TaskMetrics> make_classification_metrics(const TaskSpec& task) {
    return std::make_unique<ClassificationMetrics>(task);
}

}  // namespace mtlprune
