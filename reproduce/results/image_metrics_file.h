// The metrics of every test image, for whoever asks how much they would differ on other images.
#pragma once

#include <filesystem>
#include <vector>

#include "training/checkpoint.h"
#include "training/evaluate.h"

namespace mtlprune {

inline constexpr const char* kImageMetricsName = "test_images.npz";

/// Of the networks of a stage that were evaluated on the test split, in the order of its frames.
class ImageMetricsFile {
  public:
    void add(int64_t event, int64_t step, const ImageMetrics& images);
    /// The file, complete or absent: "event" and "step" int64 [networks]; every metric under its name,
    /// float32 [networks, images], NaN where nothing is labelled; "labelled.<task>" int64 [images]: pixels
    /// with a label, by which pooled means weight the images.
    void write(const std::filesystem::path& path, const std::vector<TaskSpec>& tasks) const;

    TensorMap state() const;
    void load_state(const TensorMap& state);

  private:
    std::vector<torch::Tensor> networks_;  ///< int64 [2] each: event, step
    std::vector<torch::Tensor> values_;    ///< float32 [metrics, images] each
    torch::Tensor labelled_;               ///< int64 [tasks, images]
};

}  // namespace mtlprune
