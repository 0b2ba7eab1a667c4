// The safetensors format (github.com/huggingface/safetensors): a JSON table of tensors, then their bytes.
#pragma once

#include <string>

#include "models/weights/weights_file.h"

namespace mtlprune {

/// The first 8 bytes give the length of a JSON object that follows.
bool is_safetensors(const std::string& bytes);

/// Throws Error naming `place` and the entry when the table is no such table, or a tensor's bytes are not
/// where and as many as it says.
TensorMap read_safetensors(const std::string& bytes, const std::string& place);

}  // namespace mtlprune
