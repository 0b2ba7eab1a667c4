// From predictions to pixels.
#pragma once

#include <torch/types.h>

#include "datasets/contract/sample.h"

namespace mtlprune {

/// A copy of a tensor [h,w] or [h,w,channels] of bytes or floats as pixels of that type of OpenCV.
cv::Mat to_pixels(const torch::Tensor& values, int type);

/// The only channel of a prediction [1,h,w], CV_32FC1.
Label predicted_values(const torch::Tensor& prediction, NormalsTarget);

}  // namespace mtlprune
