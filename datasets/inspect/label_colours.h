// Labels as colours.
#pragma once

#include <opencv2/core.hpp>
#include <string>
#include <utility>

#include "datasets/contract/sample.h"

namespace mtlprune {

/// The label of a task in its sample; empty when missing and for classification, which has no pixels.
const cv::Mat& label_of(const Sample& sample, TaskKind kind);

/// Smallest and largest valid depth in metres (> 0 and finite); (0, 1) when there is none.
std::pair<float, float> depth_range(const cv::Mat& depth);

/// The label as a CV_8UC3 picture of its own size (see contact_sheet). `range` is used for depth only. Throws
/// Error naming `place` on a wrong type of pixels.
cv::Mat colour_label(const cv::Mat& label, const TaskSpec& task, std::pair<float, float> range,
                     const std::string& place);

}  // namespace mtlprune
