// Depth and inverse depth: absolute and relative errors, threshold accuracies.
#include <fmt/format.h>
#include <torch/utils.h>

#include <array>

#include "training/tasks/pixel_targets.h"
#include "training/tasks/scalar_maps.h"
#include "training/tasks/tasks.h"

namespace mtlprune {
namespace {

constexpr double kSmallestDepth = 1e-6;  // metres
constexpr std::array<double, 3> kRatios = {1.25, 1.25 * 1.25, 1.25 * 1.25 * 1.25};
constexpr std::array<const char*, kRatios.size()> kRatioLabels = {"δ < 1.25", "δ < 1.25²", "δ < 1.25³"};

class DepthMetrics : public TaskMetrics {
  public:
    DepthMetrics(const TaskSpec& task, Fidelity fidelity)
        : TaskMetrics(task), fidelity_(fidelity), absolute_(fidelity), relative_(fidelity) {}

    void add(const torch::Tensor& prediction, const Target& target) override {
        torch::NoGradGuard no_grad;
        require_pixel_shapes("metrics", task(), prediction, target, /*classes=*/false);
        const auto& truth = target.value;
        const auto predicted = upsampled(prediction, target);
        const auto error = (predicted - truth).abs_();
        std::vector<torch::Tensor> sums = {target.mask.sum().to(torch::kFloat64),
                                           masked_sum(error, target.mask),
                                           masked_sum(error / truth, target.mask)};
        const auto ratio = worst_ratio(predicted, truth);
        for (const double bound : kRatios)
            sums.push_back((ratio <= bound).logical_and_(target.mask).sum().to(torch::kFloat64));
        const auto host = torch::stack(sums).cpu();
        const double* sum = host.data_ptr<double>();
        pixels_ += sum[0];
        absolute_.add(sum[1], sum[0], prediction.size(0));
        relative_.add(sum[2], sum[0], prediction.size(0));
        for (size_t k = 0; k < kRatios.size(); ++k) within_[k] += sum[3 + k];
    }

    std::vector<double> values() const override {
        std::vector<double> all = {absolute_.value(), relative_.value()};
        for (const double within : within_) all.push_back(100.0 * within / pixels_);
        return all;
    }

  private:
    torch::Tensor worst_ratio(const torch::Tensor& predicted, const torch::Tensor& truth) const {
        const auto depth = fidelity_ == Fidelity::corrected ? predicted.clamp_min(kSmallestDepth) : predicted;
        return torch::maximum(depth / truth, truth / depth);
    }

    Fidelity fidelity_;
    PixelMean absolute_;
    PixelMean relative_;
    double pixels_ = 0.0;
    std::array<double, kRatios.size()> within_ = {};
};

class DepthTask : public ScalarMapTask {
  public:
    TaskKind kind() const override { return TaskKind::depth; }

    std::vector<MetricInfo> metrics(const TaskSpec& task) const override {
        const std::string unit = task.inverse ? "" : "m";
        std::vector<MetricInfo> metrics = {{.name = "abs_err",
                                            .label = "Absolute error",
                                            .definition = "Mean of |predicted - true| depth.",
                                            .unit = unit,
                                            .display_unit = unit},
                                           {.name = "rel_err",
                                            .label = "Relative error",
                                            .definition = "Mean of |predicted - true| / true depth.",
                                            .primary = true}};
        for (size_t k = 0; k < kRatios.size(); ++k)
            metrics.push_back(
                {.name = fmt::format("delta{}", k + 1),
                 .label = kRatioLabels[k],
                 .definition = fmt::format(
                     "Share of pixels with max(predicted/true, true/predicted) <= 1.25^{}.", k + 1),
                 .higher_is_better = true,
                 .unit = "%",
                 .display_unit = "%"});
        return metrics;
    }

    std::unique_ptr<TaskMetrics> make_metrics(const TaskSpec& task, Fidelity fidelity) const override {
        return std::make_unique<DepthMetrics>(task, fidelity);
    }
};

}  // namespace

const TaskType& depth_task() {
    static const DepthTask task;
    return task;
}

}  // namespace mtlprune
