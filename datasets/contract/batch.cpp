#include "datasets/contract/batch.h"

#include <torch/utils.h>

namespace mtlprune {

Batch Batch::to(torch::Device device) const {
    const auto move = [&](const torch::Tensor& tensor) {
        return tensor.to(device, tensor.scalar_type(), /*non_blocking=*/device.is_cuda());
    };
    Batch moved{move(image), {}, indices, weight};
    for (const auto& target : targets) moved.targets.push_back({move(target.value), move(target.mask)});
    return moved;
}

}  // namespace mtlprune
