// Mixed precision: which type the networks compute in, and the scale of losses that float16 needs.
#pragma once

#include <torch/types.h>

#include <optional>

#include "base/enum_names.h"
#include "models/layers/autocast.h"
#include "training/checkpoint.h"

namespace mtlprune {

/// Of activations and of the gradients that flow through them, by LibTorch's automatic casts; weights, their
/// gradients, losses and optimisers stay in float32.
enum class Precision { float32, bfloat16, float16 };

const EnumNames<Precision>& precisions();

/// Throws Error naming the key "precision" for what LibTorch has no casts for: float16 on a CPU.
void require_precision(Precision precision, torch::Device device);

/// The casts of a forward pass; nothing for float32.
class PrecisionScope {
  public:
    PrecisionScope(Precision precision, torch::Device device);

  private:
    std::optional<Autocast> casts_;
};

/// The factor of losses that keeps float16's gradients from vanishing (Micikevicius et al., ICLR 2018): 2^16
/// at first, doubled after 2000 finite iterations in a row and halved after every other, which is left out,
/// as PyTorch's GradScaler does. 1 in other precisions.
class LossScale {
  public:
    explicit LossScale(Precision precision);
    bool active() const { return active_; }
    double value() const { return value_; }
    /// Throws Error when gradients are not finite at the scale of 1 either: the losses are not.
    void update(bool finite, int64_t iteration);

    /// Empty unless active.
    TensorMap state() const;
    void load_state(const TensorMap& state);

  private:
    bool active_;
    double value_;
    int64_t finite_in_a_row_ = 0;
};

}  // namespace mtlprune
