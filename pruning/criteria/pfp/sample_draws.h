// Draws of channels with replacement, in proportion to their sensitivities: how many an error asks for, and
// which channels are among so many (Liebenwein et al., Provable Filter Pruning for Efficient Neural Networks,
// ICLR 2020). Draws are counted in doubles: small errors ask for more than integers hold.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"

namespace mtlprune {

/// Sensitivities (descending) by their sum; shares of at most float32's epsilon are 0, as in the released
/// code.
std::vector<double> draw_shares(const std::vector<double>& sensitivities);

/// What a layer's draws are multiplied by: S 2c log(8 (P + 1) k / delta), c = 3, of S the sum of its
/// sensitivities, P positions of its output and k taps.
double draw_coefficient(double sensitivity_sum, double positions, double taps, double delta);

/// max(1, ceil(3 (6 + 2 error) coefficient / error^2)): with as many draws every answer is within the
/// relative error with probability 1 - delta.
double draws_for(double error, double coefficient);
/// The error below which draws_for is at least `draws`; of one draw, which any error asks for, the one at
/// which half a draw would do.
double error_of(double draws, double coefficient);

/// Expected number of distinct channels in `draws` draws.
double expected_distinct(const std::vector<double>& shares, double draws);

/// For each channel the fewest draws with which it stays; infinity: it never does. `shares` descend. Whatever
/// stays with fewer draws stays with more, so a threshold on these is PFP's choice for one error.

/// The j-th stays when at least j distinct channels are expected.
std::vector<double> draws_in_order(const std::vector<double>& shares);
/// The draw that is the channel's first. Waiting times between channels that are new are geometric: no draw
/// but these is made, and their law is that of the whole sequence.
std::vector<double> first_draws(const std::vector<double>& shares, Random random);
/// How often each channel is drawn in `draws` draws of a sequence with these first draws: the draws between
/// two new channels fall on those that are known, in proportion to their shares.
std::vector<double> draw_counts(const std::vector<double>& shares, const std::vector<double>& first_draws,
                                double draws, uint64_t key);

}  // namespace mtlprune
