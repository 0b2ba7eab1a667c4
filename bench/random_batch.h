// The same random mini-batch of NYUv2's three tasks for every program that measures an iteration.
#pragma once

#include <torch/types.h>

#include "datasets/contract/batch.h"

namespace mtlprune {

/// Images [count,3,side,side], 40 classes, unit normals and depths in metres; every pixel is valid.
inline Batch random_batch(int64_t count, int64_t side) {
    auto generator = at::detail::createCPUGenerator(count);
    const auto mask = torch::ones({count, 1, side, side}, torch::kBool);
    Batch batch;
    batch.image = torch::empty({count, 3, side, side}).normal_(0.0, 1.0, generator);
    const auto normals = torch::empty({count, 3, side, side}).normal_(0.0, 1.0, generator);
    batch.targets = {{torch::empty({count, side, side}, torch::kLong).random_(0, 40, generator), mask},
                     {normals / normals.norm(2, {1}, true), mask},
                     {torch::empty({count, 1, side, side}).uniform_(0.5, 8.0, generator), mask}};
    return batch;
}

}  // namespace mtlprune
