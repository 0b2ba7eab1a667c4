// Where the files of Taskonomy's frames lie.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace mtlprune {

/// How the files of one modality are called; the first of several names is the usual one.
struct TaskonomyModality {
    std::string name;
    std::vector<std::string> folders;
    std::vector<std::string> domains;  ///< in point_P_view_V_domain_<domain>.png
    size_t list_column;                ///< in the entries of taskonomy.json
};

/// rgb, segment_semantic, normal, depth_zbuffer, depth_euclidean, keypoints2d or edge_texture. Throws Error
/// naming the nearest for another name.
const TaskonomyModality& taskonomy_modality(const std::string& name);

class TaskonomyFrames {
  public:
    virtual ~TaskonomyFrames() = default;
    virtual int64_t size() const = 0;
    /// Names the frame in messages.
    virtual std::string id(int64_t index) const = 0;
    /// `modality`: position in the list of names that the frames were opened with.
    virtual std::filesystem::path file(int64_t index, size_t modality) const = 0;
    /// What was left out because it is incomplete, e.g. ", 2 buildings and 5 frames left out"; or "".
    virtual std::string omissions() const { return ""; }
};

/// The frames of `buildings` in the trees <building>/<folder>, <building>_<folder>, <folder>/<building> or
/// <folder>/taskonomy/<building>, found out for each building and modality, by number of point, then view.
/// `modalities` starts with "rgb", which says what frames there are. Throws Error naming building and
/// modality for a missing folder and for folders without frames; files are looked for only with
/// `allow_incomplete`, which leaves out buildings and frames that lack something.
std::unique_ptr<TaskonomyFrames> open_taskonomy_tree(const std::filesystem::path& folder,
                                                     const std::vector<std::string>& buildings,
                                                     const std::vector<std::string>& modalities,
                                                     bool allow_incomplete);

/// The frames of `list`, AdaShare's taskonomy.json: {"train": [[image, segmentation, normals, depth,
/// keypoints, edges], ...], ...} with paths relative to the list's folder. Throws Error naming the entry for
/// anything else, paths that leave the folder, and modalities without a column (depth_euclidean).
std::unique_ptr<TaskonomyFrames> open_taskonomy_list(const std::filesystem::path& list,
                                                     const std::string& split,
                                                     const std::vector<std::string>& modalities);

}  // namespace mtlprune
