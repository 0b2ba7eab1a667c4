#include "training/tasks/task_type.h"

#include "base/error.h"
#include "training/tasks/tasks.h"

namespace mtlprune {

const std::vector<const TaskType*>& task_types() {
    static const std::vector<const TaskType*> types = {&segmentation_task(), &normals_task(),
                                                       &depth_task(),        &keypoints_task(),
                                                       &edges_task(),        &classification_task()};
    return types;
}

const TaskType& task_type(TaskKind kind) {
    for (const auto* type : task_types())
        if (type->kind() == kind) return *type;
    throw Error("task", to_string(kind), "a kind in task_types()", "none");
}

const TaskType& task_type(const std::string& name) {
    return task_type(task_kind(name, "kind"));
}

}  // namespace mtlprune
