#include "pruning/masks/drop_and_grow.h"

#include <torch/utils.h>

#include <algorithm>
#include <cmath>

#include "pruning/masks/task_votes.h"

namespace mtlprune {
namespace {

/// Samples [begin, end) of a mini-batch.
Batch samples_of(const Batch& batch, int64_t begin, int64_t end) {
    Batch part{batch.image.slice(0, begin, end), {}, {}};
    for (const auto& target : batch.targets)
        part.targets.push_back({target.value.slice(0, begin, end), target.mask.slice(0, begin, end)});
    return part;
}

void add_sizes(TaskWeightGradients& sums, const TaskWeightGradients& gradients) {
    sums.resize(gradients.size());
    for (size_t t = 0; t < gradients.size(); ++t) {
        std::vector<torch::Tensor> sizes;
        for (const auto& gradient : gradients[t]) sizes.push_back(gradient.abs());
        sums[t] = sums[t].empty() ? sizes : sum_gradients({sums[t], sizes});
    }
}

}  // namespace

torch::Tensor dropped(const torch::Tensor& kept, const torch::Tensor& weight, double wanted) {
    const auto alive = kept.sum().item<int64_t>();
    const auto leaving = static_cast<int64_t>(std::nearbyint(static_cast<double>(alive) - wanted));
    if (leaving <= 0) return kept;
    return highest({weight.abs().masked_fill(kept.logical_not(), -1)}, alive - leaving).front();
}

torch::Tensor grown(const torch::Tensor& kept, const torch::Tensor& gradient_sizes, double wanted,
                    bool ties) {
    const auto alive = kept.sum().item<int64_t>();
    const auto lacking = static_cast<int64_t>(std::floor(wanted - static_cast<double>(alive) + 1e-6));
    const auto count = std::clamp<int64_t>(lacking, 0, kept.numel() - alive);
    if (ties && count > 0) return reaching({gradient_sizes.masked_fill(kept, 0)}, count).front();
    return highest({gradient_sizes.masked_fill(kept, -1)}, count).front();
}

TaskWeightGradients gradient_sizes(const MaskingBatches& step, const std::vector<torch::Tensor>& values,
                                   int64_t parts) {
    TaskWeightGradients sums;
    for (const auto& batch : step.batches) {
        const int64_t count = std::min(parts, batch.size());
        for (int64_t p = 0; p < count; ++p)
            add_sizes(sums, step.gradients_at(values, samples_of(batch, p * batch.size() / count,
                                                                 (p + 1) * batch.size() / count)));
    }
    return sums;
}

}  // namespace mtlprune
