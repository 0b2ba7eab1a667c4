#include "datasets/sample.h"

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

std::vector<Error> Dataset::problems(int64_t index) const {
    try {
        get(index);
    } catch (const Error& error) {
        return {error};
    } catch (const std::exception& error) {
        return {Error("frame", id(index), "a frame that can be decoded", error.what())};
    }
    return {};
}

Batch Batch::to(torch::Device device) const {
    const auto move = [&](const torch::Tensor& tensor) {
        return tensor.to(device, tensor.scalar_type(), /*non_blocking=*/device.is_cuda());
    };
    Batch moved{move(image), {}, indices};
    for (const auto& target : targets) moved.targets.push_back({move(target.value), move(target.mask)});
    return moved;
}

}  // namespace mtlprune
