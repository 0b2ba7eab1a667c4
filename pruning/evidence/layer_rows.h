// Samples of what a layer reads, row by row as its weights see it.
#pragma once

#include "pruning/evidence/layer_watch.h"

namespace mtlprune {

/// Rows of a layer's input and the weights that they are multiplied by, for the channels of one group that
/// the layer reads.
struct LayerRows {
    torch::Tensor rows;     ///< float64 [N,C,K]: K values of each channel (taps, positions after a flatten)
    torch::Tensor weights;  ///< float64 [O,C,K]
};

/// `count` places of the layer's output, drawn with `key` (with replacement; all of a smaller one):
/// convolutions of one group that are not transposed, and linear layers. Throws Error for others.
LayerRows sample_rows(const Evidence& evidence, const LayerCall& call, const Member& member, int64_t count,
                      uint64_t key);
/// The same of convolutions of any number of groups, one entry for each group: a channel of `member` is read
/// at its place in every group.
std::vector<LayerRows> sample_blocks(const Evidence& evidence, const LayerCall& call, const Member& member,
                                     int64_t count, uint64_t key);

}  // namespace mtlprune
