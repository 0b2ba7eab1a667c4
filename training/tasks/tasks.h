// The kinds behind task_types(), one file per kind.
#pragma once

#include "training/tasks/task_type.h"

namespace mtlprune {

const TaskType& segmentation_task();
const TaskType& normals_task();
const TaskType& depth_task();
const TaskType& keypoints_task();
const TaskType& edges_task();
const TaskType& classification_task();

}  // namespace mtlprune
