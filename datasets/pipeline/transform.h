// Writing transformed samples straight into a batch (loader.h has the single-sample form).
#pragma once

#include "datasets/contract/batch.h"
#include "datasets/contract/sample.h"
#include "datasets/pipeline/loader.h"

namespace mtlprune {

/// Throws Error for an input size outside 1..32768.
void check_transform(const TransformOptions& options);

/// A batch of `size` samples whose tensors are allocated but not filled; `indices` stays empty.
Batch allocate_batch(int64_t size, const std::vector<TaskSpec>& tasks, const TransformOptions& options,
                     bool page_locked = false);

/// As transform_sample(), but fills place `position` of a batch from allocate_batch() (every element of it).
/// Several threads may fill different positions of one batch.
void transform_into(Batch& batch, int64_t position, const Sample& sample, const std::vector<TaskSpec>& tasks,
                    const TransformOptions& options, const AugmentationDraw& draw);

}  // namespace mtlprune
