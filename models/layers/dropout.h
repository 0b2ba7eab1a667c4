// Dropout whose mask depends on a key alone: reproducible under any number of threads and after a resume.
#pragma once

#include <torch/nn/cloneable.h>

#include <cstdint>

namespace mtlprune {

/// x may be rows rank, rank + ranks, ... of a tensor of which several processes have parts.
struct DropoutShard {
    int64_t rank = 0;
    int64_t ranks = 1;
};

/// x times a mask that is 0 with probability `p` (resolution 2^-16), else 1/(1-p). The mask is a function of
/// (key, position in memory order of a contiguous tensor of x's shape, or of the tensor whose rows x is); on
/// CUDA of (key, rank, LibTorch version).
torch::Tensor keyed_dropout(const torch::Tensor& x, double p, uint64_t key, const DropoutShard& shard = {});

/// keyed_dropout in training mode; nothing in evaluation mode.
struct DropoutImpl : torch::nn::Cloneable<DropoutImpl> {
    explicit DropoutImpl(double p) : p(p) {}
    void reset() override {}
    torch::Tensor forward(const torch::Tensor& x) {
        return keyed_dropout(x, is_training() ? p : 0.0, key, shard);
    }
    double p;
    uint64_t key = 0;  ///< of the next masks
    DropoutShard shard;
};
TORCH_MODULE(Dropout);

/// Gives every dropout layer below `module` a key of its own, which depends on `key` and its place alone.
void set_dropout_keys(torch::nn::Module& module, uint64_t key);
/// Tells every dropout layer below `module` which part of its mini-batches it sees.
void set_dropout_shard(torch::nn::Module& module, const DropoutShard& shard);

}  // namespace mtlprune
