// Networks as ONNX, the file format that other runtimes read.
#pragma once

#include <filesystem>

#include "models/model.h"

namespace mtlprune {

/// Why networks cannot be written as ONNX here; empty when they can. It takes PyTorch in bench_python().
std::string missing_onnx();

/// A file that computes the network's predictions, in their order, in eval mode, for images of exactly the
/// shape of `image` [B,3,H,W]; its input is named "image". It stays in scratch_folder(), and the same network
/// and shape are written once. Throws Error when PyTorch cannot write the network.
std::filesystem::path onnx_file(Model& model, const torch::Tensor& image);

}  // namespace mtlprune
