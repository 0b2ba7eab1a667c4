// Statistics of the angle between predicted and true normals, pooled over all valid pixels.
#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "training/metrics_by_task.h"

namespace mtlprune {
namespace {

constexpr std::array<float, 3> kWithin = {11.25F, 22.5F, 30.0F};

/// As numpy's median: the mean of the two middle values of an even number of them. Reorders `values`.
double median(std::vector<float>& values) {
    if (values.empty()) return kUnknown;
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    if (values.size() % 2 == 1) return *middle;
    return (static_cast<double>(*std::max_element(values.begin(), middle)) + static_cast<double>(*middle)) /
           2.0;
}

class NormalsMetrics : public TaskMetrics {
  public:
    explicit NormalsMetrics(const TaskSpec& task) : task_(task) {}

    void add(const torch::Tensor& prediction, const Target& target) override {
        torch::NoGradGuard no_grad;
        require_metric_shapes(task_, prediction, target);
        const auto angles = batch_angles(prediction, target);
        if (!angles.is_cpu()) {
            on_device_.push_back(angles.masked_select((angles < 0).logical_not_()));
            return;
        }
        const float* angle = angles.data_ptr<float>();
        for (int64_t i = 0; i < angles.numel(); ++i)
            if (!(angle[i] < 0)) collect(angle[i]);  // a NaN prediction must show in the result
    }

    std::vector<Metric> result() const override {
        if (!on_device_.empty()) return device_result();
        auto metrics = normals_definitions(task_);
        const auto pixels = static_cast<double>(angles_.size());
        auto angles = angles_;
        metrics[0].value = sum_ / pixels;
        metrics[1].value = std::isnan(sum_) ? kUnknown : median(angles);
        for (size_t k = 0; k < kWithin.size(); ++k)
            metrics[2 + k].value = 100.0 * static_cast<double>(within_[k]) / pixels;
        return metrics;
    }

  private:
    /// The same where the angles are: tens of millions of them would take seconds to move.
    std::vector<Metric> device_result() const {
        torch::NoGradGuard no_grad;
        auto metrics = normals_definitions(task_);
        const auto angles = torch::cat(on_device_);
        const int64_t pixels = angles.numel();
        if (pixels == 0) return metrics;
        const auto sorted = std::get<0>(angles.sort());  // NaN last
        metrics[0].value = angles.mean(torch::kFloat64).item<double>();
        const auto middle = sorted.slice(0, (pixels - 1) / 2, pixels / 2 + 1);
        metrics[1].value =
            std::isnan(metrics[0].value) ? kUnknown : middle.mean(torch::kFloat64).item<double>();
        for (size_t k = 0; k < kWithin.size(); ++k)
            metrics[2 + k].value =
                100.0 * (angles <= kWithin[k]).sum().item<double>() / static_cast<double>(pixels);
        return metrics;
    }

    /// Degrees, float32 [B,1,H,W] where the target is; -1 where it is invalid.
    static torch::Tensor batch_angles(const torch::Tensor& prediction, const Target& target) {
        const auto& value = target.value;
        const auto direction = normalise(prediction.to(torch::kFloat32));
        const auto predicted = nearest_resize(direction, value.size(2), value.size(3)).split(1, 1);
        const auto truth = value.to(torch::kFloat32).split(1, 1);
        auto product = truth[0] * predicted[0];
        auto length = truth[0].square();  // plane by plane: much faster than a sum over the short dimension
        for (size_t axis = 1; axis < truth.size(); ++axis) {
            product.addcmul_(truth[axis], predicted[axis]);
            length.addcmul_(truth[axis], truth[axis]);
        }
        const auto cosine = product.div_(length.sqrt_().clamp_min_(kNormaliseEpsilon)).clamp_(-1, 1);
        return cosine.acos_().mul_(180.0 / std::numbers::pi).masked_fill_(~target.mask, -1).contiguous();
    }

    void collect(float angle) {
        angles_.push_back(angle);
        sum_ += angle;
        for (size_t k = 0; k < kWithin.size(); ++k) within_[k] += angle <= kWithin[k];
    }

    TaskSpec task_;
    std::vector<float> angles_;             ///< collected on the CPU
    std::vector<torch::Tensor> on_device_;  ///< per batch, valid angles, on any other device
    double sum_ = 0.0;
    std::array<int64_t, kWithin.size()> within_ = {};
};

}  // namespace

std::vector<Metric> normals_definitions(const TaskSpec& task) {
    std::vector<Metric> metrics = {{"angle_mean", task.name, false, "degrees",
                                    "Mean angle between predicted and true normals.", kUnknown},
                                   {"angle_median", task.name, false, "degrees",
                                    "Median angle between predicted and true normals.", kUnknown}};
    constexpr std::array<const char*, kWithin.size()> names = {"within_11_25", "within_22_5", "within_30"};
    for (size_t k = 0; k < kWithin.size(); ++k)
        metrics.push_back({names[k], task.name, true, "%",
                           fmt::format("Share of pixels whose angle is at most {} degrees.", kWithin[k]),
                           kUnknown});
    return metrics;
}

std::unique_ptr<TaskMetrics> make_normals_metrics(const TaskSpec& task) {
    return std::make_unique<NormalsMetrics>(task);
}

}  // namespace mtlprune
