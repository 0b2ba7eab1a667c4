// From decoded labels to the targets of a batch.
#pragma once

#include "datasets/contract/batch.h"
#include "datasets/contract/sample.h"
#include "datasets/pipeline/resample.h"

namespace mtlprune {

/// How labels are moved: by the window, and what that does to their values.
struct TargetGeometry {
    const Window& window;
    NormalsTarget normals = NormalsTarget::true_angles;
    bool mirror_normals = false;  ///< negate x
    double depth_factor = 1.0;    ///< inverse depth is divided by it
};

/// The target of `size` samples of a task at height x width, allocated but not filled, in the form of Batch.
Target allocate_target(const TaskSpec& task, int64_t size, int64_t height, int64_t width, bool page_locked);

/// Fills place `position` of a task's target, nearest neighbour (cv::INTER_NEAREST).
/// Valid are: segmentation labels other than 255; codes of normals without a channel of 255, for true_angles
/// also with a length (codes 127 and 128 in all channels have none), and vectors that are not 0 (for
/// paper_codes they become codes, 255 where there is none); depth > 3e-5; keypoints and edges inside the
/// image; known classes. Values that are not valid are finite: 0, for paper_codes the code itself, 255 in
/// padding. Throws Error naming the sample when the task's label is missing or has another type, size or
/// class than expected.
void write_target(const Sample& sample, const Label& label, const TaskSpec& task,
                  const TargetGeometry& geometry, Target& target, int64_t position);

}  // namespace mtlprune
