// Dropout whose mask depends on a key alone: reproducible under any number of threads and after a resume.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace mtlprune {

/// x times a mask that is 0 with probability `p` (resolution 2^-16), else 1/(1-p). The mask is a function of
/// (key, position in memory order of a contiguous tensor of x's shape); on CUDA of (key, LibTorch version).
torch::Tensor keyed_dropout(const torch::Tensor& x, double p, uint64_t key);

}  // namespace mtlprune
