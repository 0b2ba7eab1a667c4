// What a task is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mtlprune {

/// All are per pixel but `classification`, which is one class per image.
enum class TaskKind { segmentation, normals, depth, keypoints, edges, classification };

/// How the targets of a normals task are stored in a Batch.
/// `true_angles`: unit vectors, x right, y down, z forward (a surface facing the camera has z < 0).
/// `paper_codes`: the file's 8-bit codes 0..255 in BGR order, un-decoded, as the main paper's code uses them.
enum class NormalsTarget { true_angles, paper_codes };

/// One task: its field name ("segmentation", "normals", "depth", ...) and the channels its head predicts.
struct TaskSpec {
    std::string name;
    TaskKind kind;
    int64_t channels;
    std::vector<double> class_weights = {};  ///< segmentation: of every class in the loss; empty = all equal
    bool operator==(const TaskSpec&) const = default;
};

/// "segmentation", "normals", "depth", "keypoints", "edges", "classification".
std::string to_string(TaskKind kind);

/// The name of a depth task whose labels grow with 1 / metres; a scene moved nearer has larger ones.
constexpr const char* kInverseDepth = "inverse_depth";

/// The three NYUv2 tasks in the paper's order: segmentation (`classes` channels), normals (3), depth (1).
std::vector<TaskSpec> nyuv2_tasks(int64_t classes);

}  // namespace mtlprune
