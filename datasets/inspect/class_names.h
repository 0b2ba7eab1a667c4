// Names of the classes of known label sets.
#pragma once

#include <string>
#include <vector>

#include "datasets/contract/task.h"

namespace mtlprune {

/// Of the first segmentation in `tasks`, by the number of its classes: 13 (NYUv2), 17 (Taskonomy), 7 and 19
/// (Cityscapes); empty for others.
std::vector<std::string> known_class_names(const std::vector<TaskSpec>& tasks);

}  // namespace mtlprune
