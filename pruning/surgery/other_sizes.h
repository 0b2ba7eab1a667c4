// Other sizes of a network's inputs at which it runs too, found by trying.
#pragma once

#include <torch/script.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "pruning/coupling/groups.h"

namespace mtlprune {

/// One dimension of one tensor among the inputs (those in lists, tuples and dictionaries counted on).
struct SizeChange {
    size_t input;
    int64_t dim, from, to;
    bool operator==(const SizeChange&) const = default;
};
/// Made together: batches or lengths of several inputs, say.
using SizeChanges = std::vector<SizeChange>;

/// All changes of dimensions of tensors of these shapes that `accepts`, small ones first, and all of them
/// together unless together they are refused: first each dimension alone, then all refused ones of equal size
/// at once. What throws is refused.
SizeChanges find_other_sizes(const std::vector<std::vector<int64_t>>& shapes,
                             const std::function<bool(const SizeChanges&)>& accepts);

/// The same channels leave the same slices together: sizes at which they do not (a batch of another size that
/// a literal view takes for channels) are those of another network.
bool leave_alike(const std::vector<Group>& a, const std::vector<Group>& b);

/// Shapes of all tensors among inputs.
std::vector<std::vector<int64_t>> tensor_shapes(const std::vector<c10::IValue>& inputs);
std::vector<std::vector<int64_t>> tensor_shapes(const std::vector<torch::Tensor>& inputs);

/// Inputs of the new sizes, with entries of the old ones (from the front, again and again).
std::vector<c10::IValue> with_sizes(const std::vector<c10::IValue>& inputs, const SizeChanges& changes);
std::vector<torch::Tensor> with_sizes(const std::vector<torch::Tensor>& inputs, const SizeChanges& changes);

/// "input 0: 2x3x8x8 -> 3x3x8x16"
std::string describe(const std::vector<std::vector<int64_t>>& shapes, const SizeChanges& changes);

}  // namespace mtlprune
