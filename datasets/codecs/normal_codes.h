// Surface normals as unit vectors and as the 8-bit codes of the AdaShare layout.
#pragma once

#include <algorithm>
#include <cstdint>
#include <opencv2/core.hpp>

namespace mtlprune {

/// A pixel of unit vectors (x right, y down, z forward) holds a normal when its squared length exceeds this;
/// (0, 0, 0) means no normal.
constexpr float kLeastSquaredLength = 0.25f;

inline bool is_normal(const cv::Vec3f& n) {
    return n[0] * n[0] + n[1] * n[1] + n[2] * n[2] > kLeastSquaredLength;
}

/// round((component + 1) * 127.5), at most 254, as 255 is left to mean "masked".
inline int component_code(float component) {
    return static_cast<int>(std::min(std::max((component + 1.0f) * 127.5f + 0.5f, 0.0f), 254.0f));
}

/// The code of one unit vector, in BGR order B = up, G = forward, R = right; (255, 255, 255) where there is
/// no normal.
inline cv::Vec3b normal_code(const cv::Vec3f& n) {
    if (!is_normal(n)) return cv::Vec3b::all(255);
    const auto code = [](float component) { return static_cast<uint8_t>(component_code(component)); };
    return {code(-n[1]), code(n[2]), code(n[0])};
}

/// The unit vectors that codes stand for, (0, 0, 0) where there is no normal: CV_32FC3 from CV_8UC3.
cv::Mat decode_normals(const cv::Mat& codes);

/// Every pixel's normal_code(): CV_8UC3 from CV_32FC3.
cv::Mat encode_normals(const cv::Mat& normals);

}  // namespace mtlprune
