#include "datasets/pipeline/predicted_pixels.h"

namespace mtlprune {

cv::Mat to_pixels(const torch::Tensor& values, int type) {
    const auto dense = values.contiguous();
    return cv::Mat(static_cast<int>(dense.size(0)), static_cast<int>(dense.size(1)), type, dense.data_ptr())
        .clone();
}

Label predicted_values(const torch::Tensor& prediction, NormalsTarget) {
    return {to_pixels(prediction[0].to(torch::kFloat32), CV_32FC1)};
}

}  // namespace mtlprune
