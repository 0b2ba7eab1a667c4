// The embedded data set: ray-cast indoor rooms with exact labels, drawn on demand from a seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/contract/sample.h"

namespace mtlprune {

struct SyntheticRoomsOptions {
    int64_t count = 64;    ///< number of frames, 1 or more
    int64_t height = 120;  ///< pixels, 8..4096
    int64_t width = 160;   ///< pixels, 8..4096
    uint64_t seed = 0;
    std::string split = "train";  ///< "train" or "test": disjoint scenes
    bool dense_labels = false;    ///< also the tasks "keypoints" and "edges"
};

/// Furnished rooms seen by a Kinect-like camera. Tasks: segmentation (13 classes), normals, depth and, if
/// asked, keypoints and edges. Colours and textures are independent of the class. Frame `index` depends only
/// on (seed, split, index, height, width), not on `count` or on threads. Rendering a frame uses the calling
/// thread only.
class SyntheticRooms : public Dataset {
  public:
    /// Throws Error on an option out of range.
    explicit SyntheticRooms(SyntheticRoomsOptions options);
    int64_t size() const override { return options_.count; }
    /// Id "train/0007". Segmentation 0..12 without gaps, depth about 0.7..10 m without gaps, normals exact up
    /// to 8-bit coding. Keypoints: corner strength of the noise-free image; edges: its gradient magnitude;
    /// both 0..1.
    Sample get(int64_t index) const override;
    const std::vector<TaskSpec>& tasks() const override { return tasks_; }
    std::string description() const override;
    const SyntheticRoomsOptions& options() const { return options_; }

  private:
    SyntheticRoomsOptions options_;
    std::vector<TaskSpec> tasks_;
};

/// The names of the NYU-13 classes in index order: bed, books, ceiling, ..., window.
const std::vector<std::string>& nyu13_class_names();

/// All frames, rendered in `threads` threads (at least one). The result does not depend on `threads`.
std::vector<Sample> render_all(const SyntheticRooms& rooms, int threads);

}  // namespace mtlprune
