// Networks that flatten the image read one size alone.
#pragma once

#include <torch/types.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/registry.h"

namespace mtlprune {

struct ImageSize {
    int64_t channels, side;
};

/// `first`, then "input_channels" (3, or 1 for the first channel of grey images) and "size" (height and
/// width).
std::vector<Option> with_image_size(Option first);
/// Throws Error naming `backbone` unless there are 1 to 3 channels and `side` is at least `smallest`.
ImageSize image_size(const std::string& backbone, const nlohmann::json& options, int64_t smallest);

/// image [B,3,side,side] -> its first channels. Throws Error on an image of another size.
torch::Tensor sized_image(const std::string& backbone, const torch::Tensor& image, const ImageSize& size);

}  // namespace mtlprune
