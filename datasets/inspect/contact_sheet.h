// Pictures of samples, labels and predictions for people to look at.
#pragma once

#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "datasets/contract/sample.h"

namespace mtlprune {

struct ContactSheetOptions {
    int columns = 1;                       ///< frames side by side, 1 or more
    int tile_width = 160;                  ///< pixels, 64 or more; heights follow from the frames
    std::vector<std::string> class_names;  ///< not empty: a legend of the segmentation colours
};

/// `classes` (1..255) distinct colours, BGR; black is left to mean "ignore".
std::vector<cv::Vec3b> palette(int64_t classes);

/// A CV_8UC3 (BGR) sheet: a header, then one row of tiles per `options.columns` frames: the image and each
/// task's label. With predictions, [frame][task] Labels (pixels of any size), each label is followed by its
/// prediction. Classes of pixels use palette(channels), depth the range printed in the tile unless it is
/// inverse (the label's, also for its prediction; near = bright), normals (n + 1) / 2 as colours, keypoints
/// and edges grey, classification the class's number (a wrong prediction on red, a right one on green); more
/// than three tasks of that kind are one list of what is there (class_list.h). Masked pixels and missing
/// labels are black. Throws Error on no samples, a wrong number of labels or predictions, a wrong type of
/// pixels or a prediction without a class.
cv::Mat contact_sheet(const std::vector<Sample>& samples, const std::vector<TaskSpec>& tasks,
                      const std::vector<std::vector<Label>>* predictions = nullptr,
                      const ContactSheetOptions& options = {});

}  // namespace mtlprune
