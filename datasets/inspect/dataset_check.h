// Finds everything that is wrong with a data set.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "datasets/contract/sample.h"

namespace mtlprune {

struct FrameProblem {
    int64_t index;
    std::string frame;    ///< Dataset::id
    std::string file;     ///< file and field, "" when the problem has none
    std::string problem;  ///< "expected ..., found ..."
};

struct DatasetCheckOptions {
    int threads = 1;
    /// Called after each frame, from one thread at a time.
    std::function<void(int64_t done, int64_t total)> progress;
};

/// Decodes every frame and reports what sample_problems() says of it or, where it cannot be decoded, what
/// Dataset::problems() says; and pictures whose EXIF data say that they are to be turned, which is not done.
/// In the order of the frames, whatever the threads.
std::vector<FrameProblem> check_dataset(const Dataset& dataset, const DatasetCheckOptions& options);

/// The same with one problem for each folder that does not exist instead of one for each of its files.
std::vector<FrameProblem> without_missing_folders(std::vector<FrameProblem> problems);

/// Where a sample breaks the contract of sample.h for these tasks: another number of labels, labels that are
/// missing, of another type or size than documented or out of range. Each message names the sample and the
/// task.
std::vector<Error> sample_problems(const Sample& sample, const std::vector<TaskSpec>& tasks);

}  // namespace mtlprune
