// Value ranges of decoded labels.
#pragma once

#include <cstdint>
#include <opencv2/core.hpp>
#include <string>

namespace mtlprune {

/// `labels` CV_8UC1 must hold 0..classes-1 or 255 (ignore). Throws Error naming `place`, the first wrong
/// value in row order and its position.
void check_classes(const cv::Mat& labels, int64_t classes, const std::string& place);

/// `depth` CV_32FC1 in metres must be finite and not negative. Throws as above.
void check_depth(const cv::Mat& depth, const std::string& place);

/// `values` CV_32F, any number of channels, must be finite and in [low, high]. Throws as above.
void check_range(const cv::Mat& values, float low, float high, const std::string& place);

/// `values` CV_32FC1 must hold whole numbers 0..classes-1 or `ignore`. Throws as above.
void check_class_values(const cv::Mat& values, int64_t classes, float ignore, const std::string& place);

}  // namespace mtlprune
