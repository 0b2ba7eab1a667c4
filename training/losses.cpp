#include "training/losses.h"

#include <fmt/format.h>

#include <sstream>

#include "base/error.h"

namespace mtlprune {
namespace {

constexpr double kNormaliseEpsilon = 1e-12;  // F.normalize's default, as in the released code
constexpr int64_t kIgnore = -100;

torch::Tensor source_indices(int64_t in, int64_t out, torch::Device device) {
    const float scale = static_cast<float>(in) / static_cast<float>(out);
    return at::arange(out, torch::TensorOptions(torch::kFloat32).device(device))
        .mul_(scale)
        .floor_()
        .clamp_max_(in - 1)
        .to(torch::kInt64);
}

torch::Tensor resize_dimension(const torch::Tensor& x, int64_t dim, int64_t size) {
    if (x.size(dim) == size) return x;
    return x.index_select(dim, source_indices(x.size(dim), size, x.device()));
}

std::string shape(const torch::Tensor& tensor) {
    std::ostringstream text;
    text << tensor.sizes();
    return text.str();
}

void require_shapes(const TaskSpec& task, const torch::Tensor& prediction, const Target& target) {
    const bool labels = task.kind == TaskKind::segmentation;
    const auto& value = target.value;
    const auto fail = [&](const std::string& expected, const torch::Tensor& found) {
        throw Error("loss", task.name, expected, shape(found));
    };
    if (prediction.dim() != 4 || prediction.size(1) != task.channels)
        fail(fmt::format("a prediction [B,{},h,w]", task.channels), prediction);
    const int64_t batch = prediction.size(0);
    if (value.dim() != (labels ? 3 : 4) || value.size(0) != batch ||
        (!labels && value.size(1) != task.channels))
        fail(labels ? fmt::format("a target [{},H,W]", batch)
                    : fmt::format("a target [{},{},H,W]", batch, task.channels),
             value);
    const auto& mask = target.mask;
    if (mask.dim() != 4 || mask.size(0) != batch || mask.size(1) != 1 || mask.size(2) != value.size(-2) ||
        mask.size(3) != value.size(-1))
        fail(fmt::format("a mask [{},1,{},{}]", batch, value.size(-2), value.size(-1)), mask);
}

/// Weight of each pixel's class [B,1,h,w].
torch::Tensor pixel_weights(const TaskSpec& task, const torch::Tensor& labels, const torch::Tensor& mask,
                            const torch::TensorOptions& options) {
    if (static_cast<int64_t>(task.class_weights.size()) != task.channels)
        throw Error("loss", task.name, fmt::format("{} class weights", task.channels),
                    std::to_string(task.class_weights.size()));
    const auto weights = torch::tensor(task.class_weights, torch::kDouble).to(options);
    return weights.index({labels.masked_fill(~mask, 0)});
}

/// Loss of each pixel [B,1,h,w]; what it is where the mask is false does not matter as long as it is finite.
torch::Tensor pixel_losses(const TaskSpec& task, const torch::Tensor& prediction, const torch::Tensor& value,
                           const torch::Tensor& mask) {
    if (task.kind == TaskKind::segmentation) {
        const auto labels = value.masked_fill(~mask, kIgnore).squeeze(1);
        return at::cross_entropy_loss(prediction, labels, /*weight=*/{}, at::Reduction::None, kIgnore)
            .unsqueeze(1);
    }
    const auto known = value.to(prediction.scalar_type()).masked_fill(~mask, 0);
    if (task.kind == TaskKind::normals)
        return 1 - (normalise(prediction) * normalise(known)).sum(1, /*keepdim=*/true);
    return (prediction - known).abs();
}

torch::Tensor sum_where(const torch::Tensor& mask, const torch::Tensor& values) {
    return torch::where(mask, values, torch::zeros_like(values)).sum();
}

torch::Tensor mean_where(const torch::Tensor& mask, const torch::Tensor& losses, Fidelity fidelity) {
    const auto sum = sum_where(mask, losses);
    auto count = mask.sum().to(sum.scalar_type());
    if (fidelity == Fidelity::corrected) count = count.clamp_min(1);
    return sum / count;
}

torch::Tensor weighted_mean_where(const torch::Tensor& mask, const torch::Tensor& losses,
                                  const torch::Tensor& weights, Fidelity fidelity) {
    auto total = sum_where(mask, weights);
    if (fidelity == Fidelity::corrected) total = total.masked_fill(total == 0, 1);
    return sum_where(mask, losses * weights) / total;
}

torch::Tensor classification_loss(const TaskSpec& task, const torch::Tensor& prediction, const Target& target,
                                  Fidelity fidelity) {
    const auto scores = class_scores(task, prediction);
    for (const auto* tensor : {&target.value, &target.mask})
        if (tensor->dim() != 1 || tensor->size(0) != scores.size(0))
            throw Error("loss", task.name, fmt::format("classes and a mask [{}]", scores.size(0)),
                        shape(*tensor));
    const auto labels = target.value.masked_fill(~target.mask, kIgnore);
    const auto losses =
        at::cross_entropy_loss(scores.element_size() < 4 ? scores.to(torch::kFloat32) : scores, labels,
                               /*weight=*/{}, at::Reduction::None, kIgnore);
    return mean_where(target.mask, losses, fidelity);
}

}  // namespace

torch::Tensor normalise(const torch::Tensor& vectors) {
    return vectors / vectors.norm(2, {1}, /*keepdim=*/true).clamp_min(kNormaliseEpsilon);
}

torch::Tensor class_scores(const TaskSpec& task, const torch::Tensor& prediction) {
    const bool map = prediction.dim() == 4;
    if ((!map && prediction.dim() != 2) || prediction.size(1) != task.channels)
        throw Error("prediction", task.name, fmt::format("[B,{0}] or [B,{0},h,w]", task.channels),
                    shape(prediction));
    return map ? prediction.mean({2, 3}) : prediction;
}

torch::Tensor nearest_resize(const torch::Tensor& x, int64_t height, int64_t width) {
    // Columns are the slower gather: few of them at a time.
    if (width > x.size(-1)) return resize_dimension(resize_dimension(x, -1, width), -2, height);
    return resize_dimension(resize_dimension(x, -2, height), -1, width);
}

torch::Tensor task_loss(const TaskSpec& task, const torch::Tensor& prediction, const Target& target,
                        Fidelity fidelity) {
    if (task.kind == TaskKind::classification) return classification_loss(task, prediction, target, fidelity);
    require_shapes(task, prediction, target);
    const int64_t height = prediction.size(2);
    const int64_t width = prediction.size(3);
    const auto value = task.kind == TaskKind::segmentation ? target.value.unsqueeze(1) : target.value;
    const auto mask = nearest_resize(target.mask, height, width);
    const bool reduced = prediction.element_size() < 4;
    const auto labels = nearest_resize(value, height, width);
    const auto losses =
        pixel_losses(task, reduced ? prediction.to(torch::kFloat32) : prediction, labels, mask);
    if (task.class_weights.empty()) return mean_where(mask, losses, fidelity);
    return weighted_mean_where(mask, losses, pixel_weights(task, labels, mask, losses.options()), fidelity);
}

std::vector<torch::Tensor> task_losses(const std::vector<TaskSpec>& tasks,
                                       const std::vector<torch::Tensor>& predictions,
                                       const std::vector<Target>& targets, Fidelity fidelity) {
    if (predictions.size() != tasks.size() || targets.size() != tasks.size())
        throw Error("losses", "task list", fmt::format("{} predictions and targets", tasks.size()),
                    fmt::format("{} and {}", predictions.size(), targets.size()));
    std::vector<torch::Tensor> losses;
    for (size_t t = 0; t < tasks.size(); ++t)
        losses.push_back(task_loss(tasks[t], predictions[t], targets[t], fidelity));
    return losses;
}

}  // namespace mtlprune
