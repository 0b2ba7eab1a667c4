// A module that does not train for a while.
#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <utility>
#include <vector>

namespace mtlprune {

/// Eval mode for a module and all below it; the destructor gives each its own mode back.
class EvalMode {
  public:
    explicit EvalMode(torch::nn::Module& module);
    EvalMode(const EvalMode&) = delete;
    EvalMode& operator=(const EvalMode&) = delete;
    ~EvalMode();

  private:
    torch::nn::Module& module_;
    bool training_;
    std::vector<std::pair<std::shared_ptr<torch::nn::Module>, bool>> children_;
};

}  // namespace mtlprune
