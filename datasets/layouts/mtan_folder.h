// The files of MTAN's layouts (Liu et al. 2019): FOLDER/train|val/<modality>/K.npy, K = 0, 1, 2, ...
#pragma once

#include <cstdint>
#include <filesystem>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

namespace mtlprune {

/// Finds frames and reads their arrays; the data sets in this layout add which modalities there are.
class MtanFolder {
  public:
    /// Lists `folder`/`split`/image; split "test" is another name of "val". `subject` names the data set in
    /// messages. Throws Error for another split, a folder that cannot be read, names that are no numbers, a
    /// gap in the numbers, no frames, and a limit (0 = all) beyond the number of frames.
    MtanFolder(const std::filesystem::path& folder, const std::string& split, int64_t limit,
               std::string subject);

    int64_t size() const { return static_cast<int64_t>(numbers_.size()); }
    /// "train" or "val".
    const std::string& split() const { return split_; }
    /// Throws Error for an index outside 0..size()-1.
    std::filesystem::path file(int64_t index, const std::string& modality) const;
    /// "train/3": split and number.
    std::string id(int64_t index) const;
    bool has(const std::string& modality) const;

    /// [H,W,3] RGB, floats in 0..1 (rounded to 1/255) or uint8, as CV_8UC3 in BGR order.
    cv::Mat read_image(int64_t index) const;
    /// [H,W] of whole numbers, -1 (in unsigned types 255) = ignore, as CV_8UC1 with 255 = ignore.
    cv::Mat read_classes(int64_t index, const std::string& modality, int64_t classes) const;
    /// [H,W], [H,W,1] or [1,H,W] of floats as CV_32FC1, finite and not negative.
    cv::Mat read_depth(int64_t index) const;
    /// [H,W,3] of floats as CV_32FC3, unchanged.
    cv::Mat read_vectors(int64_t index, const std::string& modality) const;

  private:
    std::filesystem::path place_;
    std::string split_;
    std::string subject_;
    std::vector<int64_t> numbers_;
};

}  // namespace mtlprune
