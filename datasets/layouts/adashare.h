// NYUv2 in the layout of AdaShare (Sun et al. 2020), which the main paper's released code reads.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/contract/image_files.h"
#include "datasets/contract/sample.h"

namespace mtlprune {

struct AdaShareOptions {
    std::filesystem::path folder;
    std::string split = "train";  ///< a key of nyu_v2_3task.json: "train", "test", ...
    int64_t classes = 40;         ///< segmentation labels are 0..classes-1 or 255
    int64_t limit = 0;            ///< only this many frames, evenly spaced; 0 = all
};

/// Reads `folder`/nyu_v2_3task.json, {"train": [[image, segmentation, normals, depth], ...], "test": [...]},
/// with paths relative to `folder`; formats and value ranges are in docs/datasets/nyuv2.md. Tasks:
/// nyuv2_tasks(classes).
class AdaShareNyuv2 : public Dataset, public ImageFiles {
  public:
    /// Reads the list only. Throws Error for a missing or malformed list, a split that is missing or empty,
    /// an entry without four paths, a path that leaves the folder, and a limit beyond the number of frames.
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
    std::filesystem::path image_file(int64_t index) const override { return file(frames_.at(index), image); }

  private:
    enum Modality { image, segmentation, normals, depth, modalities };
    static constexpr Modality kLabels[] = {segmentation, normals, depth};  ///< the tasks' order
    using Frame = std::array<std::string, modalities>;

    std::vector<Frame> read_list() const;
    std::filesystem::path file(const Frame& frame, Modality modality) const;
    const Frame& frame(int64_t index) const;
    cv::Mat read(const Frame& frame, Modality modality) const;
    void check_size(const Frame& frame, Modality modality, const cv::Mat& pixels,
                    const cv::Mat& picture) const;

    AdaShareOptions options_;
    std::vector<TaskSpec> tasks_;
    std::vector<Frame> frames_;
};

}  // namespace mtlprune
