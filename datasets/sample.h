// The data contract of all rooms: what a task is, what one frame is, what a batch is.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "datasets/error.h"

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

/// One decoded frame, all modalities of equal height and width H x W. Missing modalities are empty.
struct Sample {
    std::string id;        ///< names the frame in messages, e.g. "img/0003.png"
    cv::Mat image;         ///< CV_8UC3, BGR
    cv::Mat segmentation;  ///< CV_8UC1, class index, 255 = ignore
    /// CV_32FC3 unit vectors, x right, y down, z forward (z < 0 faces the camera), (0,0,0) = no normal; or
    /// CV_8UC3, BGR of the AdaShare code: R = right, G = forward, B = up, round((n+1)*127.5), any channel 255
    /// = masked, (127,127,127) = no normal.
    cv::Mat normals;
    cv::Mat depth;      ///< CV_32FC1, metres (task inverse_depth: in the data set's scale), 0 = missing
    cv::Mat keypoints;  ///< CV_32FC1, 0..1
    cv::Mat edges;      ///< CV_32FC1, 0..1
    std::vector<int64_t> classes;  ///< one per classification task, in task order; -1 = unknown
};

/// One task's labels of a batch. Where `mask` is false the target has no meaning.
struct Target {
    torch::Tensor value;  ///< segmentation: int64 [B,H,W]; normals: float32 [B,3,H,W]; classification: int64
                          ///< [B]; others: float32 [B,1,H,W]
    torch::Tensor mask;   ///< bool [B,1,H,W]; classification: bool [B]
};

struct Batch {
    torch::Tensor image;           ///< float32 [B,3,H,W]
    std::vector<Target> targets;   ///< in the order of the data set's tasks
    std::vector<int64_t> indices;  ///< which samples, in order
    int64_t size() const { return image.size(0); }
    Batch to(torch::Device device) const;
};

/// A random-access data set; `get` may be called from several threads at once.
class Dataset {
  public:
    virtual ~Dataset() = default;
    virtual int64_t size() const = 0;
    /// Decodes frame `index` in 0..size()-1. Throws Error naming file and reason.
    virtual Sample get(int64_t index) const = 0;
    virtual const std::vector<TaskSpec>& tasks() const = 0;
    /// Names frame `index` without decoding it: Sample::id where a reader knows it, else its number.
    virtual std::string id(int64_t index) const { return std::to_string(index); }
    /// Everything that is wrong with frame `index`, file by file where a reader can tell; by default what
    /// get() throws.
    virtual std::vector<Error> problems(int64_t index) const;
    /// One line for reports: layout, split, number of frames, size.
    virtual std::string description() const = 0;
};

}  // namespace mtlprune
