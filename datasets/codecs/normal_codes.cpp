#include "datasets/codecs/normal_codes.h"

#include <cmath>

namespace mtlprune {

cv::Mat encode_normals(const cv::Mat& normals) {
    cv::Mat codes(normals.size(), CV_8UC3);
    for (int y = 0; y < normals.rows; ++y) {
        const cv::Vec3f* n = normals.ptr<cv::Vec3f>(y);
        std::transform(n, n + normals.cols, codes.ptr<cv::Vec3b>(y), normal_code);
    }
    return codes;
}

cv::Mat decode_normals(const cv::Mat& codes) {
    cv::Mat normals(codes.size(), CV_32FC3);
    for (int y = 0; y < codes.rows; ++y) {
        const cv::Vec3b* in = codes.ptr<cv::Vec3b>(y);
        cv::Vec3f* out = normals.ptr<cv::Vec3f>(y);
        for (int x = 0; x < codes.cols; ++x) {
            const int largest = std::max({in[x][0], in[x][1], in[x][2]}),
                      smallest = std::min({in[x][0], in[x][1], in[x][2]});
            const cv::Vec3f n(static_cast<float>(2 * in[x][2] - 255), static_cast<float>(255 - 2 * in[x][0]),
                              static_cast<float>(2 * in[x][1] - 255));
            const bool is_masked = largest == 255 || (smallest >= 127 && largest <= 128);
            out[x] = is_masked ? cv::Vec3f() : n * (1.0f / std::sqrt(n.dot(n)));
        }
    }
    return normals;
}

}  // namespace mtlprune
