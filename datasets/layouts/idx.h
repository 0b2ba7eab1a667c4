// MNIST, Fashion-MNIST, notMNIST and other image classification sets in idx files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/codecs/idx_file.h"
#include "datasets/contract/sample.h"

namespace mtlprune {

struct IdxOptions {
    std::filesystem::path folder;
    std::string split = "train";  ///< "train" (train-*) or "test" (t10k-* or test-*)
    std::string task;             ///< the task's name; empty = the folder's
    int64_t classes = 10;         ///< labels are 0..classes-1
    int64_t limit = 0;            ///< only this many images, evenly spaced; 0 = all
    bool classes_given = true;    ///< false: more classes than `classes` where labels say so
    std::string files = {};       ///< what stands before "-train-images" in the names; empty = whatever does
};

/// Which of the splits train and test have images in `folder`; both when none has. Throws Error for a folder
/// that cannot be read.
std::vector<std::string> idx_splits(const std::filesystem::path& folder);

/// Reads `folder`/{train|t10k|test}-images-idx3-ubyte and -labels-idx1-ubyte, each plain or with .gz
/// ("-images.idx3" is accepted too), also behind the name of a set as EMNIST has them
/// ("emnist-letters-train-images-idx3-ubyte.gz"). Labels 1..classes, as of EMNIST's letters, become
/// 0..classes-1: they are recognised where none is 0 and the last is `classes`. Pictures are given as stored
/// (those of EMNIST mirrored and turned). One classification task. Grey images become CV_8UC3 with three
/// equal channels.
class IdxImages : public Dataset {
  public:
    /// Holds the whole split in memory, one byte per pixel. Throws Error for missing or damaged files, a
    /// number of labels that is not that of images, labels out of range, sides above 4096 and a limit beyond
    /// the number of images.
    explicit IdxImages(IdxOptions options);

    int64_t size() const override { return used_; }
    Sample get(int64_t index) const override;
    const std::vector<TaskSpec>& tasks() const override { return tasks_; }
    /// E.g. "mnist (idx), split test: 10000 images of 28x28".
    std::string description() const override;
    /// "t10k-images-idx3-ubyte.gz[17]".
    std::string id(int64_t index) const override;

  private:
    std::filesystem::path find(const std::string& content) const;
    void read_labels(const std::filesystem::path& file);
    int64_t position(int64_t index) const;

    IdxOptions options_;
    std::vector<TaskSpec> tasks_;
    std::string images_name_;
    IdxArray images_, labels_;
    int64_t used_ = 0;
};

}  // namespace mtlprune
