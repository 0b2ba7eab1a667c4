// A mini-batch of noise with NYUv2's three tasks.
#pragma once

#include <torch/utils.h>

#include "datasets/contract/batch.h"

namespace mtlprune {

inline torch::Tensor noise(at::IntArrayRef shape, uint64_t key, torch::Dtype type = torch::kFloat) {
    return torch::empty(shape, type).normal_(0.0, 1.0, at::detail::createCPUGenerator(key));
}

/// Two images of side x side, five classes, every pixel valid; equal for equal keys.
inline Batch random_batch(uint64_t key, int64_t side = 16, torch::Dtype type = torch::kFloat) {
    const auto all = torch::ones({2, 1, side, side}, torch::kBool);
    const auto classes = noise({2, side, side}, 10 * key + 1).abs().clamp(0, 4).to(torch::kLong);
    return {noise({2, 3, side, side}, 10 * key, type),
            {{classes, all},
             {noise({2, 3, side, side}, 10 * key + 2, type), all},
             {noise({2, 1, side, side}, 10 * key + 3, type).abs() + 0.5, all}},
            {0, 1}};
}

}  // namespace mtlprune
