// One class per image: cross entropy and accuracy.
#include <fmt/format.h>
#include <torch/utils.h>

#include "base/error.h"
#include "training/tasks/class_shares.h"
#include "training/tasks/pixel_targets.h"
#include "training/tasks/tasks.h"

namespace mtlprune {
namespace {

constexpr int64_t kIgnoredImage = -100;

/// The scores [B,C]: the prediction itself, or the mean over the positions of [B,C,h,w] (global average
/// pooling of the head's map). Throws Error on any other shape.
torch::Tensor class_scores(const TaskSpec& task, const torch::Tensor& prediction) {
    const bool map = prediction.dim() == 4;
    if ((!map && prediction.dim() != 2) || prediction.size(1) != task.channels)
        throw Error("prediction", task.name, fmt::format("[B,{0}] or [B,{0},h,w]", task.channels),
                    shape_text(prediction));
    return map ? prediction.mean({2, 3}) : prediction;
}

class ClassificationMetrics : public TaskMetrics {
  public:
    explicit ClassificationMetrics(const TaskSpec& task) : TaskMetrics(task) {}

    void add(const torch::Tensor& prediction, const Target& target) override {
        torch::NoGradGuard no_grad;
        const auto predicted = class_scores(task(), prediction).argmax(1);
        if (target.value.sizes() != predicted.sizes() || target.mask.sizes() != predicted.sizes())
            throw Error("metrics", task().name, fmt::format("classes and a mask [{}]", predicted.size(0)),
                        fmt::format("{} and {} values", target.value.numel(), target.mask.numel()));
        const auto hits = predicted.eq(target.value).logical_and_(target.mask);
        const auto counts = torch::stack({hits.sum(), target.mask.sum()}).cpu();
        hits_ += counts[0].item<int64_t>();
        images_ += counts[1].item<int64_t>();
    }

    std::vector<double> values() const override {
        return {static_cast<double>(hits_) / static_cast<double>(images_)};
    }

  private:
    int64_t hits_ = 0;
    int64_t images_ = 0;
};

class ClassificationTask : public TaskType {
  public:
    TaskKind kind() const override { return TaskKind::classification; }

    std::vector<MetricInfo> metrics(const TaskSpec&) const override {
        return {{.name = "accuracy",
                 .label = "Accuracy",
                 .definition = "Fraction of the images with a class whose class is predicted.",
                 .higher_is_better = true,
                 .display_scale = 100,
                 .display_unit = "%",
                 .primary = true}};
    }

    /// Cross entropy, mean over images with a class.
    torch::Tensor loss(const TaskSpec& task, const torch::Tensor& prediction, const Target& target,
                       Fidelity fidelity) const override {
        const auto scores = class_scores(task, prediction);
        for (const auto* tensor : {&target.value, &target.mask})
            if (tensor->dim() != 1 || tensor->size(0) != scores.size(0))
                throw Error("loss", task.name, fmt::format("classes and a mask [{}]", scores.size(0)),
                            shape_text(*tensor));
        const auto labels = target.value.masked_fill(~target.mask, kIgnoredImage);
        const auto losses = at::cross_entropy_loss(at_least_float(scores), labels, /*weight=*/{},
                                                   at::Reduction::None, kIgnoredImage);
        return mean_where(target.mask, losses, fidelity);
    }

    std::unique_ptr<TaskMetrics> make_metrics(const TaskSpec& task, Fidelity) const override {
        return std::make_unique<ClassificationMetrics>(task);
    }

    torch::Tensor constant(const TaskSpec& task, const std::vector<Target>& train) const override {
        return class_shares(task, train);
    }

    torch::Tensor by_position(const TaskSpec& task, const std::vector<Target>& train) const override {
        return class_shares(task, train);
    }
};

}  // namespace

const TaskType& classification_task() {
    static const ClassificationTask task;
    return task;
}

}  // namespace mtlprune
