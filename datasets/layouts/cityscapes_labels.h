// The classes of Cityscapes (Cordts et al. 2016).
#pragma once

#include <cstdint>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

namespace mtlprune {

/// The 19 evaluated classes in the order of their train ids, or the 7 categories they belong to: flat,
/// construction, object, nature, sky, human, vehicle. Throws Error for other numbers.
std::vector<std::string> cityscapes_class_names(int64_t classes);

/// Label ids of gtFine (0..33; 255 is the licence plate's -1) as CV_8UC1 to 19 or 7 `classes`, 255 = ignore:
/// all that the benchmark does not evaluate (source: cityscapesScripts, helpers/labels.py). Throws Error
/// naming `place`, row and column for another id.
cv::Mat map_cityscapes_ids(const cv::Mat& ids, int64_t classes, const std::string& place);

/// Train ids 0..18 and 255 likewise.
cv::Mat map_cityscapes_train_ids(const cv::Mat& ids, int64_t classes, const std::string& place);

}  // namespace mtlprune
