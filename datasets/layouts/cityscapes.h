// Cityscapes (Cordts et al. 2016) as published: leftImg8bit, gtFine, disparity, camera.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "datasets/contract/sample.h"

namespace mtlprune {

/// `metres`: baseline * focal length / disparity. `inverse`: the disparity file's value / 65535, as in the
/// MTAN layout. `automatic`: metres where `folder`/camera exists, else inverse.
enum class CityscapesDepth { automatic, metres, inverse };

struct CityscapesOptions {
    std::filesystem::path folder;
    std::string split = "train";  ///< "train", "val" or "test", whose labels are published empty
    int64_t classes = 19;         ///< 19 classes or their 7 categories
    CityscapesDepth depth = CityscapesDepth::automatic;
    int64_t limit = 0;       ///< only this many frames, evenly spaced; 0 = all
    bool train_ids = false;  ///< the files *_labelIds.png hold train ids 0..18 and 255
};

/// Reads, for every <city>/<frame> of leftImg8bit/<split>, `folder`/
///   leftImg8bit/<split>/<city>/<frame>_leftImg8bit.png  8-bit colour
///   gtFine/<split>/<city>/<frame>_gtFine_labelIds.png   8-bit grey, see cityscapes_labels.h
///   disparity/<split>/<city>/<frame>_disparity.png      16-bit grey v: disparity (v - 1) / 256 pixels, 0 =
///   missing camera/<split>/<city>/<frame>_camera.json           for metres
/// Tasks: segmentation, and depth (metres) or inverse_depth. docs/datasets/cityscapes.md says more.
class Cityscapes : public Dataset {
  public:
    /// Lists the frames only. Throws Error for another split or number of classes, folders that cannot be
    /// read, no frames, and a limit beyond their number.
    explicit Cityscapes(CityscapesOptions options);

    int64_t size() const override { return static_cast<int64_t>(frames_.size()); }
    /// Throws Error naming the file for: missing or damaged files, modalities of different size, unknown
    /// label ids, a camera without a positive baseline and focal length.
    Sample get(int64_t index) const override;
    const std::vector<TaskSpec>& tasks() const override { return tasks_; }
    std::string id(int64_t index) const override { return frames_.at(index); }
    /// E.g. "Cityscapes, split val, 19 classes, depth in metres: 500 frames of 2048x1024". Decodes the first
    /// frame's image.
    std::string description() const override;
    /// Label images that hold train ids but are read as label ids, or the other way round.
    std::vector<Error> contradictions() const override;

  private:
    std::filesystem::path file(int64_t index, const std::string& folder, const std::string& ending) const;
    cv::Mat read_depth(int64_t index) const;

    CityscapesOptions options_;
    bool metres_ = false;
    std::vector<TaskSpec> tasks_;
    std::vector<std::string> frames_;  // "<city>/<frame>"
};

}  // namespace mtlprune
