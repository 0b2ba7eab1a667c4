// The parameters and buffers of a TorchScript module.
#pragma once

#include <torch/script.h>

#include <functional>
#include <string>

namespace mtlprune {

using TensorVisitor =
    std::function<void(const std::string& name, const torch::Tensor& tensor, bool is_buffer)>;

/// Visits what named_parameters() and then what named_buffers() list, several times faster.
void visit_tensors(const torch::jit::Module& module, const TensorVisitor& visit);

}  // namespace mtlprune
