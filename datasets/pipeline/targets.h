// From decoded labels to the targets of a batch.
#pragma once

#include "datasets/contract/batch.h"
#include "datasets/contract/sample.h"
#include "datasets/pipeline/resample.h"

namespace mtlprune {

/// How labels are moved: by the window, and what that does to their values.
struct TargetGeometry {
    const Window& window;
    bool mirror_normals = false;  ///< negate x
    double depth_factor = 1.0;
};

/// Fills place `position` of a task's target, nearest neighbour (cv::INTER_NEAREST).
/// Valid are: segmentation labels other than 255; codes of normals without a channel of 255, for true_angles
/// also with a length (codes 127 and 128 in all channels have none), and vectors that are not 0 (for
/// paper_codes they become codes, 255 where there is none); depth > 3e-5; keypoints and edges inside the
/// image. Values that are not valid are finite: 0, for paper_codes the code itself, 255 in padding. Throws
/// Error naming the sample when the task's labels are missing or have another type or size than expected.
void write_target(const Sample& sample, const TaskSpec& task, const TargetGeometry& geometry,
                  NormalsTarget normals, Target& target, int64_t position);

/// Fills place `position` of the target of a classification task, the `which`-th of its data set. A class of
/// -1 is not valid and becomes 0. Throws Error naming the sample when it has no such class or one out of
/// range.
void write_class(const Sample& sample, const TaskSpec& task, size_t which, Target& target, int64_t position);

}  // namespace mtlprune
