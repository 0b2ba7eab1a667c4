// Which of two readings of a published method is computed.
#pragma once

namespace mtlprune {

/// `corrected`: what the papers mean. `as_released`: what their released code computes, quirks included.
enum class Fidelity { corrected, as_released };

}  // namespace mtlprune
