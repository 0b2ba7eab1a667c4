// Reads the NumPy array files that hold depth maps.
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

}  // namespace mtlprune
