#include "datasets/contract/task.h"

namespace mtlprune {

std::string to_string(TaskKind kind) {
    switch (kind) {
        case TaskKind::segmentation:
            return "segmentation";
        case TaskKind::normals:
            return "normals";
        case TaskKind::depth:
            return "depth";
        case TaskKind::keypoints:
            return "keypoints";
        case TaskKind::edges:
            return "edges";
        case TaskKind::classification:
            return "classification";
    }
    return "unknown";
}

std::vector<TaskSpec> nyuv2_tasks(int64_t classes) {
    return {{"segmentation", TaskKind::segmentation, classes},
            {"normals", TaskKind::normals, 3},
            {"depth", TaskKind::depth, 1}};
}

}  // namespace mtlprune
