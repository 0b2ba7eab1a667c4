// Absolute and relative errors and threshold accuracies of depth; absolute errors of keypoints and edges.
#include <fmt/format.h>
#include <torch/utils.h>

#include <array>
#include <limits>

#include "training/metrics_by_task.h"

namespace mtlprune {
namespace {

constexpr double kSmallestDepth = 1e-6;  // metres
constexpr std::array<double, 3> kRatios = {1.25, 1.25 * 1.25, 1.25 * 1.25 * 1.25};

torch::Tensor upsampled(const torch::Tensor& prediction, const Target& target) {
    return nearest_resize(prediction.to(torch::kFloat32), target.value.size(2), target.value.size(3));
}

/// Sum over the valid pixels, float64 scalar.
torch::Tensor masked_sum(const torch::Tensor& values, const torch::Tensor& mask) {
    return torch::where(mask, values, torch::zeros_like(values)).sum(torch::kFloat64);
}

class DepthMetrics : public TaskMetrics {
  public:
    DepthMetrics(const TaskSpec& task, Fidelity fidelity)
        : task_(task), fidelity_(fidelity), absolute_(fidelity), relative_(fidelity) {}

    void add(const torch::Tensor& prediction, const Target& target) override {
        torch::NoGradGuard no_grad;
        require_metric_shapes(task_, prediction, target);
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

    std::vector<Metric> result() const override {
        auto metrics = depth_definitions(task_);
        metrics[0].value = absolute_.value();
        metrics[1].value = relative_.value();
        for (size_t k = 0; k < kRatios.size(); ++k) metrics[2 + k].value = 100.0 * within_[k] / pixels_;
        return metrics;
    }

  private:
    torch::Tensor worst_ratio(const torch::Tensor& predicted, const torch::Tensor& truth) const {
        const auto depth = fidelity_ == Fidelity::corrected ? predicted.clamp_min(kSmallestDepth) : predicted;
        return torch::maximum(depth / truth, truth / depth);
    }

    TaskSpec task_;
    Fidelity fidelity_;
    PixelMean absolute_;
    PixelMean relative_;
    double pixels_ = 0.0;
    std::array<double, kRatios.size()> within_ = {};
};

class AbsoluteErrorMetrics : public TaskMetrics {
  public:
    AbsoluteErrorMetrics(const TaskSpec& task, Fidelity fidelity) : task_(task), absolute_(fidelity) {}

    void add(const torch::Tensor& prediction, const Target& target) override {
        torch::NoGradGuard no_grad;
        require_metric_shapes(task_, prediction, target);
        const auto error = (upsampled(prediction, target) - target.value).abs_();
        const auto host =
            torch::stack({target.mask.sum().to(torch::kFloat64), masked_sum(error, target.mask)}).cpu();
        absolute_.add(host[1].item<double>(), host[0].item<double>(), prediction.size(0));
    }

    std::vector<Metric> result() const override {
        auto metrics = absolute_error_definitions(task_);
        metrics[0].value = absolute_.value();
        return metrics;
    }

  private:
    TaskSpec task_;
    PixelMean absolute_;
};

}  // namespace

std::vector<Metric> depth_definitions(const TaskSpec& task) {
    std::vector<Metric> metrics = {
        {"abs_err", task.name, false, task.name == kInverseDepth ? "" : "m",
         "Mean of |predicted - true| depth.", kUnknown},
        {"rel_err", task.name, false, "", "Mean of |predicted - true| / true depth.", kUnknown}};
    for (size_t k = 0; k < kRatios.size(); ++k)
        metrics.push_back(
            {fmt::format("delta{}", k + 1), task.name, true, "%",
             fmt::format("Share of pixels with max(predicted/true, true/predicted) <= 1.25^{}.", k + 1),
             kUnknown});
    return metrics;
}

std::vector<Metric> absolute_error_definitions(const TaskSpec& task) {
    return {{"abs_err", task.name, false, "", "Mean of |predicted - true|.", kUnknown}};
}

std::unique_ptr<TaskMetrics> make_depth_metrics(const TaskSpec& task, Fidelity fidelity) {
    return std::make_unique<DepthMetrics>(task, fidelity);
}

std::unique_ptr<TaskMetrics> make_absolute_error_metrics(const TaskSpec& task, Fidelity fidelity) {
    return std::make_unique<AbsoluteErrorMetrics>(task, fidelity);
}

}  // namespace mtlprune
