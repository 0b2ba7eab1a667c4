// The newcomer among the criteria of test_pruning: its property tests iterate the registry.
#include "tests/newcomer/variance_criterion.h"

namespace mtlprune {
namespace {

const bool is_registered = [] {
    criteria().add(variance_criterion());
    return true;
}();

}  // namespace
}  // namespace mtlprune
