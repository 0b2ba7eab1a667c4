// Taskonomy (Zamir et al. 2018) and its subsets, Tiny-Taskonomy among them.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "datasets/contract/sample.h"
#include "datasets/layouts/taskonomy/taskonomy_frames.h"

namespace mtlprune {

/// The files for tasks of these names (segmentation, normals, depth, keypoints, edges; none: all five), with
/// `depth` for depth. Throws Error naming the nearest for another name.
std::vector<std::string> taskonomy_modalities_of(const std::vector<std::string>& tasks,
                                                 const std::string& depth);

struct TaskonomyOptions {
    std::filesystem::path folder;
    std::string split = "train";
    /// Any of segment_semantic, normal, depth_zbuffer or depth_euclidean, keypoints2d, edge_texture, in the
    /// order of the tasks; these five are those of the AdaShare protocol.
    std::vector<std::string> tasks = {"segment_semantic", "normal", "depth_zbuffer", "keypoints2d",
                                      "edge_texture"};
    std::string partition = "tiny";  ///< "tiny", "medium", "full" or "fullplus"
    std::filesystem::path
        split_file;                 ///< CSV, zip or taskonomy.json; empty: the first of these in `folder`:
                                    ///< taskonomy.json, train_val_test_<partition>.csv, splits_taskonomy.zip
    bool allow_incomplete = false;  ///< leave out buildings and frames that lack files (not with a list)
    int64_t limit = 0;              ///< only this many frames, evenly spaced; 0 = all
};

/// Reads point_P_view_V_domain_<task>.png of the split's buildings; docs/datasets/taskonomy.md has the trees
/// and encodings. Tasks: segmentation (17), normals, depth, keypoints, edges, as wanted. Normals count only
/// where depth is known, so that their frames need a depth file also when depth is no task.
class Taskonomy : public Dataset {
  public:
    /// Reads the split and lists folders only. Throws Error for a task that is unknown, given twice or a
    /// second kind of depth; no split file; and as taskonomy_buildings(), open_taskonomy_tree() and
    /// open_taskonomy_list() do.
    explicit Taskonomy(TaskonomyOptions options);

    int64_t size() const override { return static_cast<int64_t>(positions_.size()); }
    /// Throws Error naming the file for: missing or damaged files, images of another kind, modalities of
    /// different size, labels out of range.
    Sample get(int64_t index) const override;
    const std::vector<TaskSpec>& tasks() const override { return tasks_; }
    std::string id(int64_t index) const override { return frames_->id(positions_.at(index)); }
    /// E.g. "Taskonomy (tiny), split train: 262745 frames of 512x512". Decodes the first frame's image.
    std::string description() const override;

  private:
    cv::Mat read_label(size_t modality, int64_t position, const cv::Mat& image) const;

    TaskonomyOptions options_;
    std::vector<std::string> modalities_;  // "rgb", the tasks, and depth when only normals need it
    std::vector<TaskSpec> tasks_;
    std::string source_;
    std::unique_ptr<const TaskonomyFrames> frames_;
    std::vector<int64_t> positions_;
};

}  // namespace mtlprune
