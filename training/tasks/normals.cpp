// Surface normals: cosine loss, angles pooled over all valid pixels.
#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "training/tasks/pixel_targets.h"
#include "training/tasks/tasks.h"

namespace mtlprune {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr double kNormaliseEpsilon = 1e-12;  // F.normalize's default, as in the released code
constexpr std::array<float, 3> kWithin = {11.25F, 22.5F, 30.0F};
constexpr std::array<const char*, kWithin.size()> kWithinNames = {"within_11_25", "within_22_5", "within_30"};

/// Vectors along dimension 1 divided by their lengths.
torch::Tensor normalise(const torch::Tensor& vectors) {
    return vectors / vectors.norm(2, {1}, /*keepdim=*/true).clamp_min(kNormaliseEpsilon);
}

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
    explicit NormalsMetrics(const TaskSpec& task) : TaskMetrics(task) {}

    void add(const torch::Tensor& prediction, const Target& target) override {
        torch::NoGradGuard no_grad;
        require_pixel_shapes("metrics", task(), prediction, target, /*classes=*/false);
        const auto angles = batch_angles(prediction, target);
        if (!angles.is_cpu()) {
            on_device_.push_back(angles.masked_select((angles < 0).logical_not_()));
            return;
        }
        const float* angle = angles.data_ptr<float>();
        for (int64_t i = 0; i < angles.numel(); ++i)
            if (!(angle[i] < 0)) collect(angle[i]);  // a NaN prediction must show in the result
    }

    std::vector<double> values() const override {
        if (!on_device_.empty()) return device_values();
        const auto pixels = static_cast<double>(angles_.size());
        auto angles = angles_;
        std::vector<double> all = {sum_ / pixels, std::isnan(sum_) ? kUnknown : median(angles)};
        for (const int64_t within : within_) all.push_back(100.0 * static_cast<double>(within) / pixels);
        return all;
    }

  private:
    /// The same where the angles are: tens of millions of them would take seconds to move.
    std::vector<double> device_values() const {
        torch::NoGradGuard no_grad;
        const auto angles = torch::cat(on_device_);
        const int64_t pixels = angles.numel();
        if (pixels == 0) return std::vector<double>(2 + kWithin.size(), kUnknown);
        const auto sorted = std::get<0>(angles.sort());  // NaN last
        const double mean = angles.mean(torch::kFloat64).item<double>();
        const auto middle = sorted.slice(0, (pixels - 1) / 2, pixels / 2 + 1);
        std::vector<double> all = {mean,
                                   std::isnan(mean) ? kUnknown : middle.mean(torch::kFloat64).item<double>()};
        for (const float bound : kWithin)
            all.push_back(100.0 * (angles <= bound).sum().item<double>() / static_cast<double>(pixels));
        return all;
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

    std::vector<float> angles_;             ///< collected on the CPU
    std::vector<torch::Tensor> on_device_;  ///< per batch, valid angles, on any other device
    double sum_ = 0.0;
    std::array<int64_t, kWithin.size()> within_ = {};
};

class NormalsTask : public TaskType {
  public:
    TaskKind kind() const override { return TaskKind::normals; }

    std::vector<MetricInfo> metrics(const TaskSpec&) const override {
        std::vector<MetricInfo> metrics = {{.name = "angle_mean",
                                            .label = "Mean angle",
                                            .definition = "Mean angle between predicted and true normals.",
                                            .unit = "degrees",
                                            .display_unit = "°",
                                            .primary = true},
                                           {.name = "angle_median",
                                            .label = "Median angle",
                                            .definition = "Median angle between predicted and true normals.",
                                            .unit = "degrees",
                                            .display_unit = "°"}};
        for (size_t k = 0; k < kWithin.size(); ++k)
            metrics.push_back(
                {.name = kWithinNames[k],
                 .label = fmt::format("Within {}°", kWithin[k]),
                 .definition = fmt::format("Share of pixels whose angle is at most {} degrees.", kWithin[k]),
                 .higher_is_better = true,
                 .unit = "%",
                 .display_unit = "%"});
        return metrics;
    }

    /// 1 - mean cosine of the normalised prediction and normalised target over valid pixels.
    torch::Tensor loss(const TaskSpec& task, const torch::Tensor& prediction, const Target& target,
                       Fidelity fidelity) const override {
        require_pixel_shapes("loss", task, prediction, target, /*classes=*/false);
        const auto predicted = at_least_float(prediction);
        const auto [known, mask] = resized_target(target, predicted);
        return mean_where(mask, 1 - (normalise(predicted) * normalise(known)).sum(1, /*keepdim=*/true),
                          fidelity);
    }

    std::unique_ptr<TaskMetrics> make_metrics(const TaskSpec& task, Fidelity) const override {
        return std::make_unique<NormalsMetrics>(task);
    }

    torch::Tensor constant(const TaskSpec& task, const std::vector<Target>& train) const override {
        auto sum = torch::zeros({3}, torch::kDouble);
        for (const auto& target : train)
            sum += (target.value * target.mask).sum({0, 2, 3}).to(torch::kDouble);
        return known_constant(task, (sum / sum.norm()).view({1, 3, 1, 1}));
    }

    torch::Tensor by_position(const TaskSpec& task, const std::vector<Target>& train) const override {
        require_one_size(task, train);
        auto sum = torch::zeros({1, 3, train[0].mask.size(2), train[0].mask.size(3)}, torch::kDouble);
        for (const auto& target : train)
            sum += (target.value * target.mask).sum(0, /*keepdim=*/true).to(torch::kDouble);
        const auto length = sum.norm(2, {1}, /*keepdim=*/true);
        return or_constant(sum / length, length > 0, constant(task, train));
    }
};

}  // namespace

const TaskType& normals_task() {
    static const NormalsTask task;
    return task;
}

}  // namespace mtlprune
