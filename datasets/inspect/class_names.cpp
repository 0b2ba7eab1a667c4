#include "datasets/inspect/class_names.h"

#include "datasets/layouts/cityscapes_labels.h"
#include "datasets/layouts/taskonomy/taskonomy_labels.h"
#include "datasets/synthetic/synthetic_rooms.h"

namespace mtlprune {

std::vector<std::string> known_class_names(const std::vector<TaskSpec>& tasks) {
    const auto segmentation = first_task(tasks, TaskKind::segmentation);
    const int64_t classes = segmentation ? tasks[*segmentation].channels : 0;
    if (classes == 13) return nyu13_class_names();
    if (classes == 17) return taskonomy_class_names();
    if (classes == 7 || classes == 19) return cityscapes_class_names(classes);
    return {};
}

}  // namespace mtlprune
