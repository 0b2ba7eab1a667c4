// Thresholds that are trained beside a network, one for each of its parts (AdapMTL, Xiang et al., ACM MM
// 2024).
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "training/optimizer.h"

namespace mtlprune {

/// tau = sigmoid(s). Every s is trained by the network's kind of optimiser, with its weight decay: from below
/// zero that alone lets tau rise towards 0.5.
class SoftThresholds {
  public:
    explicit SoftThresholds(double start) : start_(start) {}

    /// Parts of a network: 0 when nothing was begun.
    int64_t parts() const { return s_.defined() ? s_.numel() : 0; }
    /// Unless it has begun: every s at its start.
    void begin(int64_t parts);
    /// tau, float64 [parts].
    torch::Tensor values() const;
    /// dL/dtau, float64 [parts], makes one step of the optimiser.
    void step(const torch::Tensor& tau_gradients, const OptimizerConfig& optimizer, double learning_rate);

    /// "s" and "s.<moment>"
    TensorMap state() const;
    void load_state(const TensorMap& state);

  private:
    double start_;
    torch::Tensor s_;
    std::unique_ptr<torch::optim::Optimizer> optimizer_;
    TensorMap moments_;  ///< loaded, for an optimiser that is still to be made
};

/// The part of a network that a parameter belongs to: "heads.<task>" or, of what tasks share, "".
std::string part_of(const std::string& parameter);

}  // namespace mtlprune
