// Small PNG files for labels: every row filter is tried.
#pragma once

#include <cstdint>
#include <opencv2/core.hpp>
#include <vector>

namespace mtlprune {

/// The bytes of a PNG file (W3C PNG specification) with the pixels of a CV_8UC1 or CV_8UC3 (BGR) matrix. The
/// smallest of: one filter for all rows, or per row the one with the smallest sum of absolute differences;
/// deflate level `level` 1..12. Throws Error for another type and an empty matrix.
std::vector<uint8_t> encode_png(const cv::Mat& pixels, int level);

}  // namespace mtlprune
