// Which of two readings of a published method is computed.
#pragma once

namespace mtlprune {

/// `corrected`: what the papers mean. `as_released`: what their released code computes, quirks included.
enum class Fidelity { corrected, as_released };

/// The quirks of released code, each by itself.
struct Fidelities {
    /// A batch without a valid pixel gives a loss of NaN.
    Fidelity losses = Fidelity::corrected;
    /// Metrics are means of batches' means, see TaskMetrics.
    Fidelity metrics = Fidelity::corrected;
    /// The update is made of the last task's gradient, the total and the total again, the latter, when
    /// channels leave, through gates already closed.
    Fidelity update = Fidelity::corrected;
    /// Criteria take the options of their `as_released`.
    Fidelity criteria = Fidelity::corrected;

    static Fidelities all(Fidelity fidelity) { return {fidelity, fidelity, fidelity, fidelity}; }
    bool operator==(const Fidelities&) const = default;
};

}  // namespace mtlprune
