// The newcomers among the subjects of the property tests, which iterate the registries.
#include "tests/newcomer/toy_backbone.h"
#include "tests/newcomer/variance_criterion.h"

namespace mtlprune {
namespace {

const bool are_registered = [] {
    criteria().add(variance_criterion());
    backbones().add(toy_backbone());
    return true;
}();

}  // namespace
}  // namespace mtlprune
