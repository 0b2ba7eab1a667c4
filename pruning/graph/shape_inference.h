// Shapes of the results of operators, without computing them.
#pragma once

#include <torch/csrc/jit/ir/ir.h>
#include <torch/script.h>

#include <string>
#include <vector>

#include "pruning/ops/operator.h"

namespace mtlprune {

/// Runs one operator of a TorchScript graph on `stack` (its arguments; replaced by its results). Tensors on
/// the meta device have shape and type only, and stay so: by the operator's own rule, by LibTorch's, or by
/// computing it.
class ShapeInference {
  public:
    void run(const torch::jit::Node& node, const Operator& op, torch::jit::Stack& stack);

    /// Operators that had to be computed on made-up numbers.
    const std::vector<std::string>& computed() const { return computed_; }

  private:
    void by_computing(const torch::jit::Node& node, torch::jit::Stack& stack);

    std::vector<std::string> computed_;
};

}  // namespace mtlprune
