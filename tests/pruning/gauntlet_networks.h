// Structural patterns that a pruning engine must get right, each a small network.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/pruning/source_networks.h"

namespace mtlprune::toy {

inline const std::vector<NetworkInput> kImage = {{{2, 3, 8, 8}}};
inline const std::vector<NetworkInput> kTokens = {{{2, 6, 12}}};

// Every pattern's last layer is "o", whose outputs stay. Families:
std::vector<SourceNetwork> gauntlet_convolutions();  ///< all kinds of convolution and channelwise scale
std::vector<SourceNetwork> gauntlet_joints();        ///< concatenation, splits, residuals, shared layers
std::vector<SourceNetwork> gauntlet_ends();          ///< several inputs and outputs
std::vector<SourceNetwork> gauntlet_layouts();       ///< views, permutations, shuffles, slices, rolls
std::vector<SourceNetwork> gauntlet_attention();     ///< attention, products of activations or weights
std::vector<SourceNetwork> gauntlet_mixers();        ///< recurrent layers, tokens, norms across channels
std::vector<SourceNetwork> gauntlet_norms();         ///< norms across channels that are written out
std::vector<SourceNetwork> gauntlet_moving();        ///< entries moved along other axes
std::vector<SourceNetwork> gauntlet_made();          ///< positions, grids, distances, complex numbers
std::vector<SourceNetwork> gauntlet_published();     ///< what published networks do besides
std::vector<SourceNetwork> gauntlet_barriers();      ///< operators that channels cannot leave through
std::vector<SourceNetwork> gauntlet_traps();  ///< sums of channels that are not zero when their weights are
std::vector<SourceNetwork> gauntlet_literals();  ///< sizes written as numbers: TorchScript only

/// All of the above.
std::vector<SourceNetwork> gauntlet();

/// Patterns written against torch::nn, as users do; names, tensors and weights equal those of the source
/// pattern.
std::map<std::string, std::function<Network()>> gauntlet_modules();

}  // namespace mtlprune::toy
