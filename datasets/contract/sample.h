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

/// Label::class_index of an image whose class nobody knows, and of a label that has none.
inline constexpr int64_t kUnknownClass = -1, kNoClass = INT64_MIN;

/// What is known about one frame for one task. By kind of task:
///   segmentation      pixels CV_8UC1, class index, 255 = ignore
///   normals           pixels CV_32FC3 unit vectors, x right, y down, z forward (z < 0 faces the camera),
///                     (0,0,0) = no normal; or CV_8UC3, BGR of the AdaShare code: R = right, G = forward,
///                     B = up, round((n+1)*127.5), any channel 255 = masked, (127,127,127) = no normal
///   depth             pixels CV_32FC1, metres (inverse: in the data set's scale), 0 = missing
///   keypoints, edges  pixels CV_32FC1, 0..1
///   classification    class_index, kUnknownClass = unknown; no pixels
struct Label {
    cv::Mat pixels = {};             ///< as high and wide as the image; empty = none
    int64_t class_index = kNoClass;  ///< of the whole image
};

/// One decoded frame.
struct Sample {
    std::string id = {};             ///< names the frame in messages, e.g. "img/0003.png"
    cv::Mat image = {};              ///< CV_8UC3, BGR, H x W
    std::vector<Label> labels = {};  ///< one per task of the data set, in its order
};

/// How a data set's files are read where files of that form occur in several conventions. What a reader
/// leaves empty is no choice of its.
struct Reading {
    std::string normal_axes = {};              ///< of the files' channels, as parse_normal_axes() reads them
    std::string depth_unit = {};               ///< a name of depth_units()
    bool indoors = false;                      ///< depths are those of rooms, some metres
    std::vector<int64_t> class_numbers = {};   ///< how many classes such a data set may be labelled with
    int64_t first_class = -1;                  ///< the number of the first class; -1: no choice
    std::vector<std::string> recognised = {};  ///< what was found in the data itself and is used, for people
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
    virtual Reading reading() const { return {}; }
    /// What single files say against how they are read, where Samples no longer show it; see
    /// contradictions() in datasets/conventions/ for what is seen in Samples.
    virtual std::vector<Error> contradictions() const { return {}; }
    /// One line for reports: layout, split, number of frames, size.
    virtual std::string description() const = 0;
};

}  // namespace mtlprune
