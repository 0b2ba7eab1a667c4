#include "tests/pruning/fuzz_networks.h"

#include "tests/pruning/fuzz_generator.h"

namespace mtlprune::toy {

SourceNetwork random_network(uint64_t seed) {
    return Generator(seed).network();
}

}  // namespace mtlprune::toy
