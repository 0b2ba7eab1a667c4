// Reads the NumPy array files that hold images and labels.
#pragma once

#include <filesystem>
#include <opencv2/core.hpp>

namespace mtlprune {

/// The 2-D array of a .npy file as CV_32FC1 [rows, columns].
///
/// Read: format versions 1.0, 2.0 and 3.0 (NumPy's numpy.lib.format), little-endian float32 ('<f4') or
/// float64 ('<f8', rounded to float32), C or Fortran order, shape (H, W), (H, W, 1) or (1, H, W). Throws
/// Error naming the file, what was expected and what was found: anything else, and a file whose size is not
/// the one its header declares (checked before memory is taken).
cv::Mat read_npy(const std::filesystem::path& path);

/// The array of a .npy file as [rows, columns] with 1..4 channels in the file's type of values.
///
/// Read as above, but shape (H, W), (1, H, W) or (H, W, C) with C in 1..4, and little-endian values of these
/// types: uint8, int8, uint16, int16, int32 (CV_8U, CV_8S, CV_16U, CV_16S, CV_32S), int64 (CV_32S; a value
/// outside its range is an Error), float16 (CV_32F), float32, float64 (CV_32F, CV_64F).
cv::Mat read_npy_pixels(const std::filesystem::path& path);

}  // namespace mtlprune
