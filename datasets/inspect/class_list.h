// The classes of a whole image as a list, for data sets with more tasks of that kind than tiles fit beside
// each other.
#pragma once

#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "datasets/contract/sample.h"

namespace mtlprune {

/// One line of the list.
struct ClassLine {
    std::string text;
    bool wrong = false;  ///< a prediction that is not the label
};

/// "NAME" for each task of two classes whose label is 1, "NAME: 3" for others, "NAME: ?" where the class is
/// unknown. With predictions, what is predicted wrongly is marked and says both: "NAME: 0, predicted 1". In
/// the order of `tasks`, whose positions in labels are `positions`.
std::vector<ClassLine> class_lines(const std::vector<TaskSpec>& tasks, const std::vector<size_t>& positions,
                                   const std::vector<Label>& labels, const std::vector<Label>* predictions);

/// Writes the lines into `area` (CV_8UC3) in two columns; what does not fit is counted in the last line.
void draw_class_lines(cv::Mat area, const std::vector<ClassLine>& lines);

}  // namespace mtlprune
