// TorchScript files, and what other files are that people take for them.
#pragma once

#include <torch/script.h>

#include <string>

namespace mtlprune::cli {

/// Reads a TorchScript file in eval mode. Throws Error naming the file, what it is instead (a state dict, a
/// pickled module, a program of torch.export, ONNX, safetensors, ...) and what to do about it.
torch::jit::Module load_script(const std::string& path);

}  // namespace mtlprune::cli
