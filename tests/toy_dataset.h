// A data set with two tasks of one kind and an inverse depth, small enough to work out everything by hand.
#pragma once

#include <array>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "datasets/contract/sample.h"

namespace mtlprune {

/// Frames of 2x3 pixels; frames 0..2 are "train", frame 3 is "test".
class ToyDataset : public Dataset {
  public:
    explicit ToyDataset(const std::string& split) : first_(split == "train" ? 0 : 3) {}
    int64_t size() const override { return first_ == 0 ? 3 : 1; }
    const std::vector<TaskSpec>& tasks() const override { return tasks_; }
    std::string description() const override { return "toy frames"; }
    std::string id(int64_t index) const override { return "toy " + std::to_string(first_ + index); }
    Sample get(int64_t index) const override {
        const auto frame = static_cast<size_t>(first_ + index);
        return {id(index),
                cv::Mat(2, 3, CV_8UC3, cv::Scalar::all(static_cast<double>(frame))),
                {{pixels(kObjects[frame], CV_8UC1)},
                 {pixels(kMaterials[frame], CV_8UC1)},
                 {pixels(kNearness[frame], CV_32FC1)}}};
    }

    template <typename T>
    using Values = std::array<std::array<T, 6>, 4>;
    static constexpr Values<uint8_t> kObjects = {{{0, 1, 2, 0, 255, 1},  //
                                                  {0, 1, 1, 2, 255, 1},
                                                  {2, 1, 2, 0, 255, 0},
                                                  {0, 1, 1, 0, 2, 1}}};
    static constexpr Values<uint8_t> kMaterials = {{{0, 0, 1, 1, 1, 255},  //
                                                    {0, 1, 1, 1, 0, 255},
                                                    {1, 1, 1, 0, 0, 255},
                                                    {0, 1, 0, 1, 255, 1}}};
    static constexpr Values<float> kNearness = {{{0.5f, 0.25f, 0, 1, 0, 0.125f},  //
                                                 {0.25f, 0.5f, 0, 2, 0, 0.5f},
                                                 {1, 0.125f, 0, 0.5f, 0, 0.25f},
                                                 {1, 0.25f, 0.5f, 2, 0, 0.25f}}};

  private:
    template <typename T>
    static cv::Mat pixels(const std::array<T, 6>& values, int type) {
        return cv::Mat(2, 3, type, const_cast<T*>(values.data())).clone();
    }

    int64_t first_;
    std::vector<TaskSpec> tasks_ = {{"objects", TaskKind::segmentation, 3},
                                    {"materials", TaskKind::segmentation, 2},
                                    {"nearness", TaskKind::depth, 1, {}, /*inverse=*/true}};
};

}  // namespace mtlprune
