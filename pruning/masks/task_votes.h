// Which weights tasks keep that decide each for itself, and what becomes of those that they share (Sun et
// al., DiSparse, CVPR 2022, section 3).
#pragma once

#include <string>
#include <vector>

#include "pruning/masks/weight_masks.h"

namespace mtlprune {

/// One tensor per maskable weight, at least 0, higher = keep; undefined for weights of other tasks' heads.
using WeightScores = std::vector<torch::Tensor>;

/// The `count` highest of all, exactly (bool, of the scores' shapes); of equal scores the later stay. Throws
/// std::logic_error unless 0 <= count <= their number.
std::vector<torch::Tensor> highest(const WeightScores& scores, int64_t count);
/// All that reach the `count`-th highest, ties included.
std::vector<torch::Tensor> reaching(const WeightScores& scores, int64_t count);

struct VoteOptions {
    double density = 0.1;  ///< of all weights, after the vote
    double keep = 0.0;     ///< share of its weights that every task keeps; 0: what leads to the density
    Vote vote = Vote::all;
    /// As released: a task keeps all weights that reach the lowest score it keeps, which may be more than its
    /// share. Else exactly the share, but no weight with a score of 0.
    bool threshold = false;
};

/// Throws Error for a score that is not a number, and when a task would keep nothing.
WeightMasks decide(const std::vector<MaskableWeight>& weights, const std::vector<std::string>& tasks,
                   const std::vector<WeightScores>& of_tasks, const VoteOptions& options);

}  // namespace mtlprune
