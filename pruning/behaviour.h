// Raised by hand whenever results of this room change.
#pragma once

namespace mtlprune {

/// Scores, selections, surgery. Part of the identity of every stage that depends on this room: after a change
/// of results, stored runs are computed again instead of being mixed with new ones. A test with stored
/// results fails when that was forgotten.
constexpr int kPruningBehaviour = 3;

}  // namespace mtlprune
