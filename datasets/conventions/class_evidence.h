// How many classes label images use, as their values tell.
#pragma once

#include <cstdint>
#include <opencv2/core.hpp>
#include <optional>
#include <vector>

namespace mtlprune {

/// Another way to number classes than the one in use.
struct ClassNumbering {
    int64_t classes = 0;
    int64_t first = 0;  ///< the number of the first class; 1: 0 means unlabelled
};

/// What `labels` (CV_8UC1, 255 = ignore), read as `classes` classes, are when they are certainly labelled
/// with one of the smaller `numbers` of classes: at least two frames, each with several classes, all of them
/// together most of the smaller number's and none beyond. Nothing else is certain: scenes with few classes
/// exist.
std::optional<ClassNumbering> smaller_numbering(const std::vector<cv::Mat>& labels, int64_t classes,
                                                std::vector<int64_t> numbers);

/// True when label images hold 255 beside nothing but 0..18, with several of these: train ids of Cityscapes,
/// as label ids go up to 33 and do not use 255.
bool are_cityscapes_train_ids(const std::vector<cv::Mat>& ids);

}  // namespace mtlprune
