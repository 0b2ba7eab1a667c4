#include "datasets/codecs/normal_codes.h"

namespace mtlprune {

cv::Mat encode_normals(const cv::Mat& normals) {
    cv::Mat codes(normals.size(), CV_8UC3);
    for (int y = 0; y < normals.rows; ++y) {
        const cv::Vec3f* n = normals.ptr<cv::Vec3f>(y);
        std::transform(n, n + normals.cols, codes.ptr<cv::Vec3b>(y), normal_code);
    }
    return codes;
}

}  // namespace mtlprune
