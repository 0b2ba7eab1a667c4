// Channels that shrink by a soft threshold on the norm of their filters.
#pragma once

#include <torch/types.h>

#include <cstdint>

#include "pruning/regularizers/channel_slices.h"

namespace mtlprune {

/// w_eff = w max(1 - tau / n, 0), where n is the root of the mean of a channel's squared filter weights. Made
/// while the network holds w; tensors are float64, on the device of the parameters.
struct ThresholdedGroup {
    /// At most so much that `floor` channels stay. The group must have filters.
    ThresholdedGroup(const RegularizedGroup& group, double threshold, int64_t floor);

    /// Puts w_eff in the place of w.
    void apply() const;
    /// Out of the gradients for w_eff, in .grad, those for w. Returns [2] how many channels are zero, and the
    /// gradient for the threshold, 0 where the floor has lowered it.
    torch::Tensor through() const;
    /// [C]: n - tau, not positive for channels that are zero.
    torch::Tensor margins() const { return norms_ - tau_; }

  private:
    const RegularizedGroup& group_;
    int64_t weights_ = 0;    ///< of a channel's filters
    torch::Tensor norms_;    ///< [C]: n
    torch::Tensor tau_;      ///< []
    torch::Tensor lowered_;  ///< bool []
    torch::Tensor factors_;  ///< [C]: w_eff by w
};

}  // namespace mtlprune
