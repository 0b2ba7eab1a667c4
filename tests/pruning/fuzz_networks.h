// Random networks made of the operators that pruning supports, and of some that it must stop at.
#pragma once

#include "tests/pruning/source_networks.h"

namespace mtlprune::toy {

/// Equal for equal seeds. Small: 2 images of 4 x 4, at most 24 channels, 3 to 12 operators. Every third
/// network may contain sizes as literals.
SourceNetwork random_network(uint64_t seed);

}  // namespace mtlprune::toy
