// Channels that are closed while a network trains, and may be opened again.
#pragma once

#include <torch/types.h>

#include <map>
#include <string>
#include <vector>

#include "pruning/regularizers/regularizer.h"

namespace mtlprune {

/// A closed channel is a gate of 0 on what its readers see: their weights for it are zero. Its own filters
/// stay and are evaluated, so that the gate's gradient is that of the readers' weights times what they were.
class ClosedChannels {
  public:
    /// Remembers the weights that read these channels (int64) of a group, and makes them and their moments
    /// zero.
    void close(Trainer& trainer, const RegularizedGroup& group, const torch::Tensor& channels);
    /// The weights are again what they were.
    void reopen(const RegularizedGroup& group, const torch::Tensor& channels) const;
    /// Per task |dL_t/dgate|, float64 [C] on the CPU, of a group whose channels `open` (bool [C]) are not
    /// closed.
    std::vector<torch::Tensor> gate_gradients(
        const RegularizedGroup& group, const torch::Tensor& open,
        const std::map<std::string, std::vector<torch::Tensor>>& task_gradients) const;
    void clear() { stored_.clear(); }

    /// Remembered weights by parameter.
    const TensorMap& state() const { return stored_; }
    void load_state(const TensorMap& state);

  private:
    TensorMap stored_;  ///< of the parameters' shapes, 0 where nothing was closed
};

}  // namespace mtlprune
