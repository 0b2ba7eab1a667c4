// How much of a layer's answers each channel that it reads can give: PFP's sensitivities.
#pragma once

#include "pruning/evidence/layer_rows.h"

namespace mtlprune {

/// Positive and negative inputs, and positive and negative weights, are looked at by themselves: the terms of
/// each of these four answers have one sign, and every term is a share of their sum in [0,1].
struct AnswerShares {
    torch::Tensor largest;  ///< float64 [C]: of any row, output, sign and value of the channel
    torch::Tensor total;    ///< float64 [C]: the sum over all of them; orders channels of equal `largest`
};

/// Shares in answers of no more than float32's epsilon are 0. (Liebenwein et al., Provable Filter Pruning for
/// Efficient Neural Networks, ICLR 2020, and their released tracker.)
AnswerShares answer_shares(const LayerRows& layer);

}  // namespace mtlprune
