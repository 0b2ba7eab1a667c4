// Named tensors in a file that Python's torch.load reads too, complete or absent, with a checksum.
#pragma once

#include <filesystem>
#include <string>

#include "models/weights/weights_file.h"

namespace mtlprune {

/// As read_weights(); what save_tensors wrote is verified too, and its entry "sha256" left out.
TensorMap load_pickle(const std::filesystem::path& path);

/// Writes the tensors (and a SHA-256 over names, types, shapes and bytes as entry "sha256") atomically.
void save_tensors(const std::filesystem::path& path, const TensorMap& tensors);

/// Reads what save_tensors wrote; throws Error when the file is truncated, not of this form or fails its
/// checksum.
TensorMap load_tensors(const std::filesystem::path& path);

/// Text as an entry, and back.
torch::Tensor text_tensor(const std::string& text);
std::string tensor_text(const torch::Tensor& tensor);

/// All entries under another name, and the sub-map of those whose name starts with `prefix`, without it.
TensorMap with_prefix(const std::string& prefix, const TensorMap& tensors);
TensorMap entries_of(const std::string& prefix, const TensorMap& tensors);

}  // namespace mtlprune
