// Dropout whose mask depends on a key alone: reproducible under any number of threads and after a resume.
#pragma once

#include <torch/nn/cloneable.h>

#include <cstdint>

namespace mtlprune {

/// x times a mask that is 0 with probability `p` (resolution 2^-16), else 1/(1-p). The mask is a function of
/// (key, position in memory order of a contiguous tensor of x's shape); on CUDA of (key, LibTorch version).
torch::Tensor keyed_dropout(const torch::Tensor& x, double p, uint64_t key);

/// keyed_dropout in training mode; nothing in evaluation mode.
struct DropoutImpl : torch::nn::Cloneable<DropoutImpl> {
    explicit DropoutImpl(double p) : p(p) {}
    void reset() override {}
    torch::Tensor forward(const torch::Tensor& x) { return keyed_dropout(x, is_training() ? p : 0.0, key); }
    double p;
    uint64_t key = 0;  ///< of the next masks
};
TORCH_MODULE(Dropout);

/// Gives every dropout layer below `module` a key of its own, which depends on `key` and its place alone.
void set_dropout_keys(torch::nn::Module& module, uint64_t key);

}  // namespace mtlprune
