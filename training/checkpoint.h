// Named tensors in a file that Python's torch.load reads too, complete or absent, with a checksum.
#pragma once

#include <torch/types.h>

#include <filesystem>
#include <map>
#include <string>

namespace mtlprune {

using TensorMap = std::map<std::string, torch::Tensor>;

/// Reads a file written by torch.save(dict[str, Tensor]) or save_tensors (its entry "sha256" is verified and
/// left out). Throws Error naming file and reason when it cannot be read or is truncated, damaged or of
/// another form.
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
