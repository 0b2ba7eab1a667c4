// NYUv2 in the layout of MTAN (Liu, Johns and Davison 2019): 13 classes, 288x384, NumPy arrays.
#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "datasets/contract/sample.h"
#include "datasets/layouts/mtan_folder.h"
#include "datasets/pipeline/normal_axes.h"

namespace mtlprune {

struct MtanNyuv2Options {
    std::filesystem::path folder;
    std::string split = "train";  ///< "train" or "val" ("test" is another name of it)
    int64_t limit = 0;            ///< only this many frames, evenly spaced; 0 = all
    /// The directions that the channels of normal/K.npy hold, see parse_normal_axes(). Empty: as a few frames
    /// tell (NormalEvidence), "right down forward" where they do not.
    std::string normal_axes = {};
    std::string depth_unit = "metres";  ///< see depth_units()
};

/// Reads `folder`/train|val/{image,label,depth,normal}/K.npy; docs/datasets/nyuv2.md has the encodings.
/// Tasks: nyuv2_tasks(13).
class MtanNyuv2 : public Dataset {
  public:
    /// Lists the frames only. Throws Error as MtanFolder does and for wrong `normal_axes`.
    explicit MtanNyuv2(MtanNyuv2Options options);

    int64_t size() const override { return files_.size(); }
    /// Throws Error naming the file for: missing or damaged arrays, other types or shapes, modalities of
    /// different size, values out of range, and normals of which fewer than 3 in 4 face the camera (their
    /// axes are not what `normal_axes` says).
    Sample get(int64_t index) const override;
    const std::vector<TaskSpec>& tasks() const override { return tasks_; }
    std::string id(int64_t index) const override { return files_.id(index); }
    /// E.g. "NYUv2 (MTAN layout), split train: 795 frames of 384x288". Reads the first frame.
    std::string description() const override;
    Reading reading() const override;

  private:
    cv::Mat read_normals(int64_t index) const;
    cv::Mat read_depth(int64_t index) const;
    const NormalAxes& axes() const;
    std::optional<NormalAxes> recognised_axes() const;

    MtanFolder files_;
    bool axes_given_;
    float metres_;  ///< in one unit of the files' depths
    MtanNyuv2Options options_;
    NormalAxes axes_;  ///< given, or the usual
    mutable std::once_flag looked_;
    mutable std::optional<NormalAxes> recognised_;
    std::vector<TaskSpec> tasks_;
};

}  // namespace mtlprune
