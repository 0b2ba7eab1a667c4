// Second derivatives of a mini-batch's loss.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "pruning/evidence/evidence.h"

namespace mtlprune {

/// Tensors by the names of parameters.
using ParameterTensors = std::map<std::string, torch::Tensor>;

/// The sum of the losses of a whole mini-batch, differentiated once; holds its graph. The network must be
/// able to be differentiated twice; where the gradient depends on nothing, second derivatives are 0.
class LossCurvature {
  public:
    /// With respect to these parameters, the network in the mode that it is in.
    LossCurvature(const Evidence& batch, const std::vector<std::string>& names);
    /// By name; zeros for parameters that the loss does not depend on.
    ParameterTensors gradients() const;
    /// The Hessian times a vector; names that the vector has not are 0 there.
    ParameterTensors times(const ParameterTensors& vector) const;

  private:
    std::vector<std::string> names_;
    std::vector<torch::Tensor> parameters_, gradients_;
};

/// Numbers 1 and -1 of the shape of `values`; 0 where a value is 0. The draws follow the order of the values,
/// not their places, so that they move with channels and masked ones take none.
class RandomSigns {
  public:
    /// Sorts the values, once for all draws.
    explicit RandomSigns(const torch::Tensor& values);
    torch::Tensor draw(uint64_t key) const;

  private:
    torch::Tensor zeros_;  ///< like the values
    torch::Tensor places_;
};

}  // namespace mtlprune
