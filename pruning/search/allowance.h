// How far the losses may rise in each unit's turn, so that the allowances multiply to a global factor.
#pragma once

#include <cstdint>

namespace mtlprune {

/// The x > 0 with prod_{i < units} (1 + rate x^i) = factor; 1 for a single unit, whose allowance is the rate.
/// Throws Error when there is none: rate not above 0, or 1 + rate above the factor.
double allowance_growth(double rate, double factor, int64_t units);

}  // namespace mtlprune
