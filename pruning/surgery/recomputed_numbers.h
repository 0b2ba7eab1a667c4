// Numbers that a TorchScript network computes from sizes, as its code will compute them once channels have
// left.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "pruning/surgery/kept_channels.h"

namespace mtlprune {

class RecomputedNumbers {
  public:
    RecomputedNumbers(const Coupling& coupling, const KeptChannels& kept);

    /// The traced value (a number, a tensor of one, or a list of integers) in the pruned network whose code
    /// is as it was, on the example inputs; nothing when the code does not compute it from sizes or its
    /// arithmetic does not run on the new ones.
    std::optional<c10::IValue> of(size_t value);

    /// The same as a fraction (numerator, denominator): that of a division that rounds is not rounded.
    std::optional<std::pair<double, double>> fraction(size_t value);

    /// Depends on sizes that stay what they are here but may be others with other inputs.
    bool varies(size_t value) const;

  private:
    std::optional<c10::IValue> compute(size_t value);
    std::optional<c10::IValue> argument(size_t value);
    std::optional<c10::IValue> size_of(size_t node, size_t value);
    bool is_computed(size_t value) const;

    const Coupling& coupling_;
    const KeptChannels& kept_;
    std::unordered_map<size_t, size_t> maker_;  ///< node, per computed number
    std::unordered_map<size_t, std::optional<c10::IValue>> known_;
};

}  // namespace mtlprune
