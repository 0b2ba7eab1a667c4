// One frame on its way into a packed file.
#pragma once

#include <string>
#include <vector>

#include "datasets/packed/packed_format.h"
#include "datasets/packed/packed_writer.h"

namespace mtlprune {

/// What is stored of one frame, stream by stream in the order of the modalities that are stored.
struct PackedFrame {
    std::string id;
    cv::Size size;
    std::vector<std::vector<uint8_t>> streams;
};

/// The modalities of a sample in stored order, with their encodings under `options`: the image and the labels
/// that it has. Throws Error naming the frame for another number of labels than tasks.
std::vector<PackedModality> modalities_of(const Sample& sample, const std::vector<TaskSpec>& tasks,
                                          const PackedWriterOptions& options);

/// Frame `index` of `source`, which must have `modalities`. Throws Error naming the frame.
PackedFrame pack_frame(const Dataset& source, int64_t index, const std::vector<PackedModality>& modalities,
                       const PackedWriterOptions& options);

}  // namespace mtlprune
