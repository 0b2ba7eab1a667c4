// Labels as colours.
#pragma once

#include <opencv2/core.hpp>
#include <string>
#include <utility>

#include "datasets/contract/sample.h"

namespace mtlprune {

/// Smallest and largest valid depth in metres (> 0 and finite); (0, 1) when there is none.
std::pair<float, float> depth_range(const cv::Mat& depth);

/// The pixels of a label as a CV_8UC3 picture of their own size (see contact_sheet). `range` is used for
/// logarithmic values (depth) only. Throws Error naming `place` on a wrong type of pixels.
cv::Mat colour_label(const cv::Mat& pixels, const TaskSpec& task, std::pair<float, float> range,
                     const std::string& place);

}  // namespace mtlprune
