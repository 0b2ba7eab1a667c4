// What heads that predict maps ask of a task.
#pragma once

#include "base/error.h"
#include "models/heads/head.h"

namespace mtlprune {

/// Throws Error for a classification.
inline void require_map_task(const std::string& head, const TaskSpec& task) {
    if (task.kind == TaskKind::classification)
        throw Error("head " + head, task.name, "a task with a prediction per pixel", to_string(task.kind));
}

/// `map` at the height and width of `target`, bilinear.
inline torch::Tensor resized_like(const torch::Tensor& map, const torch::Tensor& target, bool align_corners) {
    return torch::upsample_bilinear2d(map, {target.size(2), target.size(3)}, align_corners);
}

}  // namespace mtlprune
