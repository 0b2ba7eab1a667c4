// Named tensors out of the files in which people share weights.
#pragma once

#include <torch/types.h>

#include <filesystem>
#include <map>
#include <string>

namespace mtlprune {

using TensorMap = std::map<std::string, torch::Tensor>;

/// The state dict in a file of torch.save (the ZIP format and the one before PyTorch 1.6; a dictionary of
/// tensors, or a training checkpoint that holds one) or in a safetensors file, on the CPU. No code in a file
/// is run. Throws Error naming file and entry when it cannot be read or is truncated, damaged or of another
/// form.
TensorMap read_weights(const std::filesystem::path& path);

}  // namespace mtlprune
