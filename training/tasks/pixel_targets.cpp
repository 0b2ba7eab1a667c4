#include "training/tasks/pixel_targets.h"

#include <fmt/format.h>

#include <sstream>

#include "base/error.h"

namespace mtlprune {
namespace {

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

torch::Tensor sum_where(const torch::Tensor& mask, const torch::Tensor& values) {
    return torch::where(mask, values, torch::zeros_like(values)).sum();
}

}  // namespace

torch::Tensor nearest_resize(const torch::Tensor& x, int64_t height, int64_t width) {
    // Columns are the slower gather: few of them at a time.
    if (width > x.size(-1)) return resize_dimension(resize_dimension(x, -1, width), -2, height);
    return resize_dimension(resize_dimension(x, -2, height), -1, width);
}

std::string shape_text(const torch::Tensor& tensor) {
    std::ostringstream text;
    text << tensor.sizes();
    return text.str();
}

void require_pixel_shapes(const char* subject, const TaskSpec& task, const torch::Tensor& prediction,
                          const Target& target, bool classes) {
    const auto& [value, mask] = target;
    const auto fail = [&](const std::string& expected, const torch::Tensor& found) {
        throw Error(subject, task.name, expected, shape_text(found));
    };
    if (prediction.dim() != 4 || prediction.size(1) != task.channels)
        fail(fmt::format("a prediction [B,{},h,w]", task.channels), prediction);
    const int64_t batch = prediction.size(0);
    if (value.dim() != (classes ? 3 : 4) || value.size(0) != batch ||
        (!classes && value.size(1) != task.channels))
        fail(classes ? fmt::format("a target [{},H,W]", batch)
                     : fmt::format("a target [{},{},H,W]", batch, task.channels),
             value);
    if (mask.dim() != 4 || mask.size(0) != batch || mask.size(1) != 1 || mask.size(2) != value.size(-2) ||
        mask.size(3) != value.size(-1))
        fail(fmt::format("a mask [{},1,{},{}]", batch, value.size(-2), value.size(-1)), mask);
}

torch::Tensor at_least_float(const torch::Tensor& values) {
    return values.element_size() < 4 ? values.to(torch::kFloat32) : values;
}

Target resized_target(const Target& target, const torch::Tensor& prediction) {
    const int64_t height = prediction.size(2), width = prediction.size(3);
    const auto mask = nearest_resize(target.mask, height, width);
    const auto value = nearest_resize(target.value, height, width);
    return {value.to(prediction.scalar_type()).masked_fill(~mask, 0), mask};
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

torch::Tensor masked_sum(const torch::Tensor& values, const torch::Tensor& mask) {
    return torch::where(mask, values, torch::zeros_like(values)).sum(torch::kFloat64);
}

void require_one_size(const TaskSpec& task, const std::vector<Target>& train) {
    if (train.empty()) throw Error("predictor", task.name, "training targets", "none");
    const auto size = train[0].mask.sizes().slice(1);
    for (const auto& target : train)
        if (target.mask.sizes().slice(1) != size)
            throw Error("predictor", task.name, "targets of one size",
                        shape_text(train[0].mask) + " and " + shape_text(target.mask));
}

torch::Tensor or_constant(const torch::Tensor& found, const torch::Tensor& known,
                          const torch::Tensor& constant) {
    return torch::where(known, found, constant.to(found.scalar_type()));
}

torch::Tensor known_constant(const TaskSpec& task, const torch::Tensor& constant) {
    if (!constant.isfinite().all().item<bool>())
        throw Error("predictor", task.name, "a training target with a valid label", "none");
    return constant;
}

}  // namespace mtlprune
