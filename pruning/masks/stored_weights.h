// Weights that are trained behind others that the network computes with.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "pruning/masks/maskable_weights.h"
#include "training/checkpoint.h"

namespace mtlprune {

/// In after_gradients() show() puts the stored weights where the optimiser looks; in after_step() take()
/// takes what it made of them and the network gets effective weights again.
class StoredWeights {
  public:
    /// Copies of the weights as they are.
    void begin(const std::vector<MaskableWeight>& weights);
    void show(const std::vector<MaskableWeight>& weights) const;
    /// `effective` makes out of the stored value of weight number i what the network computes with.
    using Effective = std::function<torch::Tensor(size_t i, const torch::Tensor& stored)>;
    void take(const std::vector<MaskableWeight>& weights, const Effective& effective);

    /// In the order of the weights.
    const std::vector<torch::Tensor>& values() const { return values_; }
    std::vector<torch::Tensor>& values() { return values_; }

    TensorMap state() const;
    /// Throws Error naming an entry that is missing or of another shape than `weights`' is.
    void load_state(const TensorMap& state);

  private:
    std::vector<std::string> names_;
    std::vector<torch::Tensor> values_;
};

}  // namespace mtlprune
