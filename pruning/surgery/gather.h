// A tensor without some of its slices, in one copy.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace mtlprune {

/// Which indices of a dimension stay, ascending.
struct KeptIndices {
    int64_t dim;
    std::vector<int64_t> indices;
};

/// The entries of `tensor` that stay along all of `kept` (dimensions ascending, each once), in the tensor's
/// memory format. Dense tensors on the CPU are read and written once, whatever the number of dimensions.
torch::Tensor gather(const torch::Tensor& tensor, const std::vector<KeptIndices>& kept);

}  // namespace mtlprune
