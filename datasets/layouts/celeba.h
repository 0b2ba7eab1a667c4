// CelebA (Liu et al. 2015): aligned faces with 40 binary attributes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/contract/image_files.h"
#include "datasets/contract/sample.h"

namespace mtlprune {

struct CelebAOptions {
    std::filesystem::path folder;
    std::string split = "train";          ///< "train", "valid" or "test"
    std::vector<std::string> attributes;  ///< the tasks, in this order; empty = all, in the file's order
    int64_t limit = 0;                    ///< only this many images, evenly spaced; 0 = all
};

/// Reads `folder`/list_attr_celeba.txt, list_eval_partition.txt (either may be in Anno/ and Eval/, as
/// published, or be Kaggle's .csv) and *.jpg in img_align_celeba/, Img/img_align_celeba/ (as published) or
/// img_align_celeba/img_align_celeba/ (as Kaggle's archive unpacks). One classification task of two classes
/// (0 = absent, 1 = present) per attribute.
class CelebA : public Dataset, public ImageFiles {
  public:
    /// Reads the lists only. Throws Error naming file and line for: missing or malformed lists, values other
    /// than -1 and 1, file names that leave the folder, images that only one list has, an unknown split or
    /// attribute, a limit beyond the number of images, and when there is no folder of images.
    explicit CelebA(CelebAOptions options);

    int64_t size() const override { return static_cast<int64_t>(images_.size()); }
    /// Throws Error naming the file when it is missing or damaged.
    Sample get(int64_t index) const override;
    const std::vector<TaskSpec>& tasks() const override { return tasks_; }
    std::string description() const override;
    /// The file's name, "000001.jpg".
    std::string id(int64_t index) const override;
    std::filesystem::path image_file(int64_t index) const override { return pictures_ / image(index).name; }

  private:
    struct Image {
        std::string name;
        std::vector<uint8_t> present;  ///< per attribute of the file
    };

    std::vector<Image> read_attributes(const std::filesystem::path& list);
    std::vector<int> read_partition(const std::filesystem::path& list, const std::vector<Image>& all) const;
    void choose_tasks(const std::vector<std::string>& names, const std::string& place);
    const Image& image(int64_t index) const;

    CelebAOptions options_;
    std::filesystem::path pictures_;  ///< the folder of the images
    std::vector<TaskSpec> tasks_;
    std::vector<size_t> columns_;  ///< of the tasks in the file
    std::vector<Image> images_;
};

}  // namespace mtlprune
