#include "training/tasks/scalar_maps.h"

#include <limits>

#include "base/error.h"
#include "training/tasks/pixel_targets.h"

namespace mtlprune {

torch::Tensor ScalarMapTask::loss(const TaskSpec& task, const torch::Tensor& prediction, const Target& target,
                                  Fidelity fidelity) const {
    require_pixel_shapes("loss", task, prediction, target, /*classes=*/false);
    const auto predicted = at_least_float(prediction);
    const auto [known, mask] = resized_target(target, predicted);
    return mean_where(mask, (predicted - known).abs(), fidelity);
}

torch::Tensor ScalarMapTask::constant(const TaskSpec& task, const std::vector<Target>& train) const {
    std::vector<torch::Tensor> values;
    for (const auto& target : train) values.push_back(target.value.masked_select(target.mask));
    const auto all = values.empty() ? torch::empty({0}) : torch::cat(values);
    if (all.numel() == 0) throw Error("predictor", task.name, "a training target with a valid label", "none");
    return all.median().to(torch::kDouble).view({1, 1, 1, 1});
}

/// Row by row, so that only one row of all images is in memory twice.
torch::Tensor ScalarMapTask::by_position(const TaskSpec& task, const std::vector<Target>& train) const {
    require_one_size(task, train);
    constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();
    std::vector<torch::Tensor> medians;
    for (int64_t y = 0; y < train[0].mask.size(2); ++y) {
        std::vector<torch::Tensor> rows;
        for (const auto& target : train)
            rows.push_back(target.value.select(2, y).masked_fill(~target.mask.select(2, y), kMissing));
        medians.push_back(std::get<0>(torch::cat(rows).nanmedian(0)));  // [1,W]
    }
    const auto map = torch::stack(medians, 1).to(torch::kDouble).unsqueeze(0);  // [1,1,H,W]
    return or_constant(map, map.isnan().logical_not(), constant(task, train));
}

torch::Tensor upsampled(const torch::Tensor& prediction, const Target& target) {
    return nearest_resize(prediction.to(torch::kFloat32), target.value.size(2), target.value.size(3));
}

}  // namespace mtlprune
