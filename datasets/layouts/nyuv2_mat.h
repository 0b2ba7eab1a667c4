// NYUv2 as published: the labelled MATLAB file (version 7.3) with its splits and class mappings.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "datasets/codecs/hdf5/hdf5_file.h"
#include "datasets/contract/sample.h"

namespace mtlprune {

struct Nyuv2MatOptions {
    std::filesystem::path folder;  ///< holds nyu_depth_v2_labeled.mat and the files below, or is such a file
    std::string split = "train";   ///< "train" or "test" of splits.mat, or "all"
    int64_t classes = 40;          ///< 40 or 13
    int64_t limit = 0;             ///< only this many frames, evenly spaced; 0 = all
    int normals_radius = 12;       ///< half the side of the windows that normals are fitted to, pixels
};

/// Reads `images`, `depths` and `labels` frame by frame from the file, whose arrays are transposed (docs in
/// docs/datasets/nyuv2.md). splits.mat, classMapping40.mat and, for 13 classes, class13Mapping.mat lie beside
/// it. A file with 40 class names instead of 894 has labels of the 40 classes already and needs no
/// classMapping40.mat. Tasks: nyuv2_tasks(classes); normals are fitted to the depth (normals_from_depth.h)
/// and given as 8-bit codes.
class Nyuv2Mat : public Dataset {
  public:
    /// Reads the structure only. Throws Error for files that are missing, truncated or of another form,
    /// arrays of another type or shape or larger than the file can hold, mappings and split indices out of
    /// range.
    explicit Nyuv2Mat(Nyuv2MatOptions options);

    int64_t size() const override { return static_cast<int64_t>(frames_.size()); }
    /// Id "frame 7": the index of the published file, from 1. Throws Error naming file, frame and array.
    Sample get(int64_t index) const override;
    const std::vector<TaskSpec>& tasks() const override { return tasks_; }
    std::string id(int64_t index) const override;
    std::string description() const override;

    /// The labels as stored, CV_16UC1: 0 = unlabelled, k = class_names()[k - 1].
    cv::Mat raw_labels(int64_t index) const;
    /// The names of the file's own classes (894 in the published one).
    const std::vector<std::string>& class_names() const { return class_names_; }

  private:
    void check_arrays() const;
    void read_classes();
    void read_split();
    int64_t frame(int64_t index) const;
    cv::Mat read_image(int64_t frame) const;
    cv::Mat read_plane(const Hdf5Dataset& array, int64_t frame, int type) const;
    cv::Mat map_labels(const cv::Mat& raw, const std::string& place) const;

    Nyuv2MatOptions options_;
    std::filesystem::path path_;
    Hdf5File file_;
    Hdf5Dataset images_, depths_, labels_;
    cv::Size size_;
    std::vector<std::string> class_names_;
    std::vector<uint8_t> class_of_label_;  ///< 255 = none
    std::vector<int64_t> frames_;          ///< from 0
    std::vector<TaskSpec> tasks_;
};

}  // namespace mtlprune
