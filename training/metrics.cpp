#include "training/metrics.h"

#include <fmt/format.h>

#include <sstream>

#include "base/error.h"
#include "training/metrics_by_task.h"

namespace mtlprune {
namespace {

std::vector<Metric> definitions(const TaskSpec& task) {
    switch (task.kind) {
        case TaskKind::segmentation:
            return segmentation_definitions(task);
        case TaskKind::normals:
            return normals_definitions(task);
        case TaskKind::depth:
            return depth_definitions(task);
        case TaskKind::keypoints:
        case TaskKind::edges:
            return absolute_error_definitions(task);
        case TaskKind::classification:
            return classification_definitions(task);
    }
    throw Error("metrics", task.name, "a known kind of task", std::to_string(static_cast<int>(task.kind)));
}

}  // namespace

void require_metric_shapes(const TaskSpec& task, const torch::Tensor& prediction, const Target& target) {
    const auto require = [&](const char* what, const torch::Tensor& tensor,
                             const std::vector<int64_t>& sizes) {
        if (tensor.sizes().vec() == sizes) return;
        std::ostringstream expected, found;
        expected << what << ' ' << at::IntArrayRef(sizes);
        found << tensor.sizes();
        throw Error("metrics", task.name, expected.str(), found.str());
    };
    if (prediction.dim() != 4 || target.mask.dim() != 4)
        throw Error("metrics", task.name, "a prediction and a mask of 4 dimensions",
                    fmt::format("{} and {}", prediction.dim(), target.mask.dim()));
    const int64_t batch = target.mask.size(0);
    const int64_t height = target.mask.size(2);
    const int64_t width = target.mask.size(3);
    require("a prediction", prediction, {batch, task.channels, prediction.size(2), prediction.size(3)});
    require("a mask", target.mask, {batch, 1, height, width});
    if (task.kind == TaskKind::segmentation)
        require("labels", target.value, {batch, height, width});
    else
        require("a target", target.value, {batch, task.channels, height, width});
}

std::unique_ptr<TaskMetrics> make_task_metrics(const TaskSpec& task, Fidelity fidelity) {
    switch (task.kind) {
        case TaskKind::segmentation:
            return make_segmentation_metrics(task, fidelity);
        case TaskKind::normals:
            return make_normals_metrics(task);
        case TaskKind::depth:
            return make_depth_metrics(task, fidelity);
        case TaskKind::keypoints:
        case TaskKind::edges:
            return make_absolute_error_metrics(task, fidelity);
        case TaskKind::classification:
            return make_classification_metrics(task);
    }
    throw Error("metrics", task.name, "a known kind of task", std::to_string(static_cast<int>(task.kind)));
}

std::vector<Metric> metric_definitions(const std::vector<TaskSpec>& tasks) {
    std::vector<Metric> all;
    for (const auto& task : tasks)
        for (auto& metric : definitions(task)) all.push_back(std::move(metric));
    return all;
}

}  // namespace mtlprune
