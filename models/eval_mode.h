// A module in another mode for a while.
#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <utility>
#include <vector>

namespace mtlprune {

/// Training or eval mode for a module and all below it; the destructor gives each its own mode back.
class ModuleMode {
  public:
    ModuleMode(torch::nn::Module& module, bool training);
    ModuleMode(const ModuleMode&) = delete;
    ModuleMode& operator=(const ModuleMode&) = delete;
    ~ModuleMode();

  private:
    torch::nn::Module& module_;
    bool training_;
    std::vector<std::pair<std::shared_ptr<torch::nn::Module>, bool>> children_;
};

struct EvalMode : ModuleMode {
    explicit EvalMode(torch::nn::Module& module) : ModuleMode(module, /*training=*/false) {}
};

}  // namespace mtlprune
