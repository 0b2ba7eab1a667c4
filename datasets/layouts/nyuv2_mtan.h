// NYUv2 in the layout of MTAN (Liu, Johns and Davison 2019): 13 classes, 288x384, NumPy arrays.
#pragma once

#include <filesystem>
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
    /// The directions that the channels of normal/K.npy hold, see parse_normal_axes().
    std::string normal_axes = "right down forward";
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

  private:
    cv::Mat read_normals(int64_t index) const;

    MtanFolder files_;
    NormalAxes axes_;
    std::vector<TaskSpec> tasks_;
};

}  // namespace mtlprune
