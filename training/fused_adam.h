// LibTorch's Adam and AdamW, with one pass over memory per iteration where there were eight.
#pragma once

#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>

#include <memory>
#include <vector>

namespace mtlprune {

/// The formulas and the state of torch::optim::Adam (Kingma and Ba, ICLR 2015; weight decay is added to the
/// gradient); results differ from its in rounding. Parameters that are not dense float32 on the CPU make a
/// step LibTorch's own. The same bits for any number of threads.
std::unique_ptr<torch::optim::Optimizer> fused_adam(const std::vector<torch::Tensor>& parameters,
                                                    const torch::optim::AdamOptions& options);

/// As fused_adam, of torch::optim::AdamW (Loshchilov and Hutter, ICLR 2019; decoupled weight decay).
std::unique_ptr<torch::optim::Optimizer> fused_adamw(const std::vector<torch::Tensor>& parameters,
                                                     const torch::optim::AdamWOptions& options);

}  // namespace mtlprune
