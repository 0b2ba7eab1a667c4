// What one frame and a data set of them are.
#pragma once

#include <cstdint>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "datasets/contract/task.h"

namespace mtlprune {

/// The largest height or width of an image in pixels.
inline constexpr int64_t kLargestSide = 1 << 15;

/// Class index of pixels without a class.
inline constexpr uint8_t kIgnore = 255;

/// One decoded frame, all modalities of equal height and width H x W. Missing modalities are empty.
struct Sample {
    std::string id;        ///< names the frame in messages, e.g. "img/0003.png"
    cv::Mat image;         ///< CV_8UC3, BGR
    cv::Mat segmentation;  ///< CV_8UC1, class index, 255 = ignore
    /// CV_32FC3 unit vectors, x right, y down, z forward (z < 0 faces the camera), (0,0,0) = no normal; or
    /// CV_8UC3, BGR of the AdaShare code: R = right, G = forward, B = up, round((n+1)*127.5), any channel 255
    /// = masked, (127,127,127) = no normal.
    cv::Mat normals;
    cv::Mat depth;      ///< CV_32FC1, metres (task inverse_depth: in the data set's scale), 0 = missing
    cv::Mat keypoints;  ///< CV_32FC1, 0..1
    cv::Mat edges;      ///< CV_32FC1, 0..1
    std::vector<int64_t> classes;  ///< one per classification task, in task order; -1 = unknown
};

/// A random-access data set; `get` may be called from several threads at once.
class Dataset {
  public:
    virtual ~Dataset() = default;
    virtual int64_t size() const = 0;
    /// Decodes frame `index` in 0..size()-1. Throws Error naming file and reason.
    virtual Sample get(int64_t index) const = 0;
    virtual const std::vector<TaskSpec>& tasks() const = 0;
    /// Names frame `index` without decoding it: Sample::id where a reader knows it, else its number.
    virtual std::string id(int64_t index) const { return std::to_string(index); }
    /// Everything that is wrong with frame `index`, file by file where a reader can tell; by default what
    /// get() throws.
    virtual std::vector<Error> problems(int64_t index) const;
    /// One line for reports: layout, split, number of frames, size.
    virtual std::string description() const = 0;
};

}  // namespace mtlprune
