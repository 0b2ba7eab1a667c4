// Cityscapes in the layout of MTAN (Liu, Johns and Davison 2019): NumPy arrays of small frames.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "datasets/contract/sample.h"
#include "datasets/layouts/mtan_folder.h"

namespace mtlprune {

struct MtanCityscapesOptions {
    std::filesystem::path folder;
    std::string split = "train";  ///< "train" or "val" ("test" is another name of it)
    int64_t classes = 7;          ///< 2, 7 or 19: which folder of labels
    int64_t limit = 0;            ///< only this many frames, evenly spaced; 0 = all
};

/// Reads `folder`/train|val/{image,label_<classes>,depth}/K.npy; where 7-class labels lie in `label`, as in
/// the archive of 128x256 frames, from there. docs/datasets/cityscapes.md has the encodings. Tasks:
/// segmentation, inverse_depth (1 = 65535 units of the original disparity files).
class MtanCityscapes : public Dataset {
  public:
    /// Lists the frames only. Throws Error as MtanFolder does, for other numbers of classes, and when there
    /// is no folder of their labels.
    explicit MtanCityscapes(MtanCityscapesOptions options);

    int64_t size() const override { return files_.size(); }
    /// Throws Error naming the file for: missing or damaged arrays, other types or shapes, modalities of
    /// different size, values out of range.
    Sample get(int64_t index) const override;
    const std::vector<TaskSpec>& tasks() const override { return tasks_; }
    std::string id(int64_t index) const override { return files_.id(index); }
    /// E.g. "Cityscapes (MTAN layout), split val, 7 classes, inverse depth: 500 frames of 256x128". Reads the
    /// first frame.
    std::string description() const override;
    Reading reading() const override { return {.class_numbers = {7, 19}}; }

  private:
    MtanFolder files_;
    int64_t classes_;
    std::string labels_;
    std::vector<TaskSpec> tasks_;
};

}  // namespace mtlprune
