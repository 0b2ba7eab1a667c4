// Writing arrays in NumPy's .npy format.
#pragma once

#include <opencv2/core.hpp>
#include <string>

namespace mtlprune {

/// The bytes of a .npy file (format 1.0, little-endian float32, the header padded so that the data start at a
/// multiple of 64 bytes) with shape (rows, cols), column after column if `fortran_order`, else row after row.
/// Throws Error unless `matrix` is a CV_32FC1 matrix that is not empty. Source: numpy.lib.format.
std::string encode_npy_f32(const cv::Mat& matrix, bool fortran_order);

}  // namespace mtlprune
