// What a data set holds: classes, depths, directions, valid fractions, colours.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "datasets/contract/sample.h"
#include "datasets/inspect/histogram.h"

namespace mtlprune {

/// Sum and sum of squares, from which mean and standard deviation follow.
struct Moments {
    double count = 0, sum = 0, squares = 0;
    void add(double value) { ++count, sum += value, squares += value * value; }
    void merge(const Moments& other);
    double mean() const { return sum / count; }  ///< NaN of nothing
    double deviation() const;                    ///< of the population; NaN of nothing
};

/// Side of the grid of TaskStatistics::directions.
constexpr int64_t kDirectionBins = 48;

/// All counts are of pixels; of images for classification.
struct TaskStatistics {
    TaskSpec task;
    int64_t total = 0;
    int64_t valid = 0;
    std::vector<int64_t> class_counts;  ///< segmentation, classification: valid pixels or images per class
    std::vector<int64_t> class_frames;  ///< frames in which the class occurs
    Histogram values;  ///< depth: 0.01..1000 m, 40 logarithmic steps per factor of 10; keypoints, edges: 0..1
    Moments moments;   ///< of the values
    std::array<Moments, 3> axes;      ///< normals: of x, y, z
    std::vector<int64_t> directions;  ///< normals: [y][x] in kDirectionBins equal steps of -1..1

    double valid_fraction() const { return static_cast<double>(valid) / static_cast<double>(total); }
};

struct DatasetStatistics {
    std::string description;
    int64_t frames = 0;
    std::map<std::pair<int64_t, int64_t>, int64_t> sizes;  ///< (height, width) -> frames
    std::array<Moments, 3> channels;                       ///< red, green, blue of all pixels, 0..1
    std::vector<TaskStatistics> tasks;
};

struct DatasetStatisticsOptions {
    int threads = 1;
    /// Called after each frame, from one thread at a time.
    std::function<void(int64_t done, int64_t total)> progress;
};

/// One pass over all frames. Bitwise the same for any number of threads. Throws what Dataset::get throws
/// and an Error naming frame and task for labels that break the contract of sample.h or unknown classes.
DatasetStatistics dataset_statistics(const Dataset& dataset, const DatasetStatisticsOptions& options);

}  // namespace mtlprune
