// NYUv2 in the layout of AdaShare (Sun et al. 2020), which the main paper's released code reads.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/contract/image_files.h"
#include "datasets/contract/sample.h"
#include "datasets/pipeline/normal_axes.h"

namespace mtlprune {

struct AdaShareOptions {
    std::filesystem::path folder;
    std::string split = "train";                   ///< a key of nyu_v2_3task.json: "train", "test", ...
    int64_t classes = 40;                          ///< segmentation labels are 0..classes-1 or 255
    int64_t limit = 0;                             ///< only this many frames, evenly spaced; 0 = all
    std::string normal_axes = "right forward up";  ///< of red, green and blue, see parse_normal_axes()
    std::string depth_unit = "metres";             ///< see depth_units()
    int64_t first_class = 0;                       ///< 1: labels 1..classes, 0 = unlabelled
    bool recognise_classes = false;  ///< fewer classes than `classes` where the labels of all splits say so
};

/// The splits that `folder`/nyu_v2_3task.json has, train first and test last.
std::vector<std::string> adashare_splits(const std::filesystem::path& folder);

/// Reads `folder`/nyu_v2_3task.json, {"train": [[image, segmentation, normals, depth], ...], "test": [...]},
/// with paths relative to `folder` (or to another folder that the list was written for, see
/// parse_frame_list()); formats and value ranges are in docs/datasets/nyuv2.md. Tasks: nyuv2_tasks(classes).
class AdaShareNyuv2 : public Dataset, public ImageFiles {
  public:
    /// Reads the list only. Throws Error for a missing or malformed list, a split that is missing or empty,
    /// an entry without four paths, a path that leaves the folder, a limit beyond the number of frames, and
    /// options that are no axes, unit or 0 and 1.
    explicit AdaShareNyuv2(AdaShareOptions options);

    int64_t size() const override { return static_cast<int64_t>(frames_.size()); }
    /// Throws Error naming the file for: missing or damaged files, modalities of different size, labels out
    /// of range, depth that is negative or not finite.
    Sample get(int64_t index) const override;
    const std::vector<TaskSpec>& tasks() const override { return tasks_; }
    /// The path of the image in the list.
    std::string id(int64_t index) const override;
    /// Of every file, not only of the first that get() stumbles over.
    std::vector<Error> problems(int64_t index) const override;
    /// E.g. "NYUv2 (AdaShare layout), split train: 795 frames of 640x480". Decodes the first frame.
    std::string description() const override;
    Reading reading() const override;
    std::filesystem::path image_file(int64_t index) const override { return file(frames_.at(index), image); }

  private:
    enum Modality { image, segmentation, normals, depth, modalities };
    static constexpr Modality kLabels[] = {segmentation, normals, depth};  ///< the tasks' order
    using Frame = std::array<std::string, modalities>;

    std::vector<Frame> read_list() const;
    void recognise_classes();
    std::filesystem::path file(const Frame& frame, Modality modality) const;
    const Frame& frame(int64_t index) const;
    cv::Mat read(const Frame& frame, Modality modality) const;
    cv::Mat read_classes(const std::filesystem::path& path) const;
    void check_size(const Frame& frame, Modality modality, const cv::Mat& pixels,
                    const cv::Mat& picture) const;

    AdaShareOptions options_;
    NormalAxes axes_;
    float metres_;  ///< in one unit of the files' depths
    std::vector<TaskSpec> tasks_;
    std::vector<Frame> frames_;
    std::string recognised_;  ///< what was, for people
};

}  // namespace mtlprune
