// What a task is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mtlprune {

/// A kind of task; the names in files and lists stand in task.cpp. What a kind means stands in one record per
/// room: its labels in LabelKind (datasets/pipeline/label_kind.h), its loss, metrics and predictors in
/// TaskType (training/tasks/task_type.h).
enum class TaskKind { segmentation, normals, depth, keypoints, edges, classification };

/// How the targets of a normals task are stored in a Batch.
/// `true_angles`: unit vectors, x right, y down, z forward (a surface facing the camera has z < 0).
/// `paper_codes`: the file's 8-bit codes 0..255 in BGR order, un-decoded, as the main paper's code uses them.
enum class NormalsTarget { true_angles, paper_codes };

/// One task of a data set. Names are free and differ within a data set; several tasks may be of one kind.
struct TaskSpec {
    std::string name;
    TaskKind kind;
    int64_t channels;                        ///< that its head predicts; of classes: their number
    std::vector<double> class_weights = {};  ///< segmentation: of every class in the loss; empty = all equal
    bool inverse = false;  ///< depth: labels grow with 1 / metres, in a scale of the data set's own
    bool operator==(const TaskSpec&) const = default;
};

/// The kind's name: "segmentation", "normals", "depth", "keypoints", "edges", "classification".
std::string to_string(TaskKind kind);

/// The kind of that name. Throws Error naming `place` and the nearest.
TaskKind task_kind(const std::string& name, const std::string& place);

/// The three NYUv2 tasks in the paper's order: segmentation (`classes` channels), normals (3), depth (1).
std::vector<TaskSpec> nyuv2_tasks(int64_t classes);

/// {"inverse_depth", depth, 1 channel, inverse}, as the Cityscapes layouts call it.
TaskSpec inverse_depth_task();

/// The position of the first task of that kind, or nothing.
std::optional<size_t> first_task(const std::vector<TaskSpec>& tasks, TaskKind kind);

}  // namespace mtlprune
