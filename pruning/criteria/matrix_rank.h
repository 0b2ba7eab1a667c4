// Ranks of many small matrices.
#pragma once

#include <torch/types.h>

namespace mtlprune {

/// matrices [N,H,W] -> int64 [N]: how many singular values exceed the largest times max(H,W) times the
/// epsilon of float32, as torch.linalg.matrix_rank counts for float32. Singular values are the roots of
/// eigenvalues of the smaller Gram matrix in float64, which resolves 1e-8 of the largest: less than that
/// tolerance.
torch::Tensor matrix_ranks(const torch::Tensor& matrices);

}  // namespace mtlprune
